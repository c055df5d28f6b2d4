/** Grants that the authorization server knows, by their names on the wire. */
export type GrantType =
  | 'client_credentials'
  | 'authorization_code'
  | 'refresh_token'
  | 'urn:ietf:params:oauth:grant-type:jwt-bearer'
  | 'urn:ietf:params:oauth:grant-type:token-exchange'

/** RFC 7523 §2.1. */
export const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** RFC 8693 §2.1. */
export const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** The grants of a client that does not authenticate: it gets tokens for users only. */
export const publicGrants: readonly GrantType[] = ['authorization_code', 'refresh_token']

/** The grants of a client that authenticates. */
export const confidentialGrants: readonly GrantType[] = [
  'client_credentials',
  ...publicGrants,
  jwtBearer,
  tokenExchange,
]
