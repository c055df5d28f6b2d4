import type { Client } from 'oauth4webapi'

/** The assertion type of a JWT (RFC 7523 §2.2). */
export const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** Puts a client assertion into the form (RFC 7521 §4.2). */
export function putAssertion(body: URLSearchParams, client: Client, type: string, assertion: string): void {
  // client_id is optional here; some servers need it and none minds.
  body.set('client_id', client.client_id)
  body.set('client_assertion_type', type)
  body.set('client_assertion', assertion)
}
