import { randomUUID } from 'node:crypto'

import { SignJWT } from 'jose'

import type { AuthorizationServer, PrivateKeyClient, SecretClient } from '../src/index.ts'

export interface TokenAnswer {
  status: number
  accessToken: string
  body: Record<string, unknown>
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
): Promise<TokenAnswer> {
  const response = await fetch(server.tokenEndpoint, {
    method: 'POST',
    headers,
    body: new URLSearchParams({ grant_type: 'client_credentials', ...form }),
  })
  const body = (await response.json()) as Record<string, unknown>
  return { status: response.status, accessToken: String(body['access_token']), body }
}

export async function assertionForm(
  server: AuthorizationServer,
  client: PrivateKeyClient | SecretClient,
): Promise<Record<string, string>> {
  const [key, header] =
    client.method === 'private_key_jwt'
      ? [client.privateKey, { alg: client.algorithm, kid: client.kid }]
      : [new TextEncoder().encode(client.secret), { alg: 'HS256' }]
  const assertion = await new SignJWT()
    .setProtectedHeader(header)
    .setIssuer(client.clientId)
    .setSubject(client.clientId)
    .setAudience(server.issuer)
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime('1m')
    .sign(key)
  return {
    client_id: client.clientId,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  }
}
