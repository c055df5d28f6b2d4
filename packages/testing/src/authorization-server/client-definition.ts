import type { JWK } from 'jose'

/** Client authentication methods that the authorization server registers clients for, by their IANA names. */
export type ClientMethod = 'client_secret_basic' | 'client_secret_post' | 'client_secret_jwt' | 'private_key_jwt'

/** A client to register, besides the ready ones. */
export interface ClientDefinition {
  /** Printable ASCII; must differ from every other client's, those of the ready ones included. */
  readonly clientId: string
  readonly method: ClientMethod
  /** Printable ASCII. Required by every method but `private_key_jwt`. */
  readonly secret?: string
  /** Public keys only, required by `private_key_jwt`. */
  readonly publicJwks?: { readonly keys: readonly JWK[] }
  /** Scopes the client may ask for. Default: all of the server's; a scope that the server lacks is refused. */
  readonly scopes?: readonly string[]
  /** The only assertion algorithm accepted, such as `ES256`. Default: each that suits the method. */
  readonly algorithm?: string
}

/** RFC 7591 client metadata for the definition. */
export function toClientMetadata(client: ClientDefinition): Record<string, unknown> {
  return {
    client_id: client.clientId,
    client_secret: client.secret,
    token_endpoint_auth_method: client.method,
    token_endpoint_auth_signing_alg: client.algorithm,
    jwks: client.publicJwks,
    scope: client.scopes?.join(' '),
    grant_types: ['client_credentials'],
  }
}
