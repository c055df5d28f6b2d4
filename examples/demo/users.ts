import type { AuthorizationServer } from '@tokenwell/testing'

/** What the API wants of a token: for invoices the one, for somebody's profile the other. */
export const scopes = { orders: 'invoices:read', profile: 'profile:read' } as const

/** By what name the authorization server knows the services when tokens are meant for them. */
export const audience = 'https://orders.example.com'

/** Somebody who uses the services by an application of their own. */
export interface User {
  readonly name: string
  /** An access token that is meant for the services, so the API must neither see nor take it. */
  readonly token: string
}

/** Logs two users in. */
export function logIn(server: AuthorizationServer): Promise<readonly User[]> {
  const { clientId } = server.clients.publicClient
  return Promise.all(
    ['alice', 'bob'].map(async (name) => {
      const consent = { clientId, subject: name, scope: scopes.profile, resource: audience }
      return { name, token: await server.issueAccessToken(consent) }
    }),
  )
}

/** A user's token with another name in it: its signature is no longer right. */
export function forge({ token }: User, name: string): string {
  const [header, payload = '', signature] = token.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
  return [header, Buffer.from(JSON.stringify({ ...claims, sub: name })).toString('base64url'), signature].join('.')
}
