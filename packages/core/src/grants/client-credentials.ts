import { accessParameters, type AccessOptions } from './access-options.ts'
import type { Grant } from './grant.ts'

/** Options of {@link clientCredentials}; all may be left out. */
export type ClientCredentialsOptions = AccessOptions

/**
 * The client credentials grant (RFC 6749 §4.4): the service acts as itself.
 * Throws a `TypeError` for parameters that may not be sent; for those that a function gives, when it is called.
 */
export function clientCredentials(options: ClientCredentialsOptions = {}): Grant {
  return Object.freeze({ type: 'client_credentials', ...accessParameters(options) })
}
