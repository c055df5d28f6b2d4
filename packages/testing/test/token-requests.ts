import { randomUUID } from 'node:crypto'

import { SignJWT } from 'jose'

import type { AuthorizationServer, PrivateKeyClient, SecretClient } from '../src/index.ts'

export interface TokenAnswer {
  status: number
  accessToken: string
  body: Record<string, unknown>
  /** The answer's `DPoP-Nonce`. */
  nonce: string | null
}

// application/x-www-form-urlencoded as RFC 6749 §2.3.1 asks for it: a space becomes a plus sign.
function formEncode(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1)
}

export function basicHeader({ clientId, secret }: { clientId: string; secret: string }): Record<string, string> {
  const credentials = `${formEncode(clientId)}:${formEncode(secret)}`
  return { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }
}

export async function requestToken(
  server: AuthorizationServer,
  form: Record<string, string> = {},
  headers: Record<string, string> = basicHeader(server.clients.basic),
  { send = fetch, endpoint = server.tokenEndpoint }: { send?: typeof fetch; endpoint?: string } = {},
): Promise<TokenAnswer> {
  const response = await send(endpoint, {
    method: 'POST',
    headers,
    body: new URLSearchParams({ grant_type: 'client_credentials', ...form }),
  })
  const body = (await response.json()) as Record<string, unknown>
  const nonce = response.headers.get('dpop-nonce')
  return { status: response.status, accessToken: String(body['access_token']), body, nonce }
}

export async function assertionForm(
  server: AuthorizationServer,
  client: PrivateKeyClient | SecretClient,
  claims: Record<string, unknown> = {},
): Promise<Record<string, string>> {
  const [key, header] =
    client.method === 'private_key_jwt'
      ? [client.privateKey, { alg: client.algorithm, kid: client.kid }]
      : [new TextEncoder().encode(client.secret), { alg: client.algorithm ?? 'HS256' }]
  const now = Math.floor(Date.now() / 1000)
  const assertion = await new SignJWT({
    iss: client.clientId,
    sub: client.clientId,
    aud: server.issuer,
    jti: randomUUID(),
    iat: now,
    exp: now + 60,
    ...claims,
  })
    .setProtectedHeader(header)
    .sign(key)
  return {
    client_id: client.clientId,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  }
}
