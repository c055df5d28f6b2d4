import { isFile } from '../credentials/credential-reader.ts'
import { fileReader } from '../credentials/file-reader.ts'
import type { CredentialFile } from '../oauth/client-auth.ts'
import type { GrantRequest } from './grant.ts'

/**
 * An assertion or a refresh token, or where it is found. A function is called for each sending of a token request; it is told the
 * call's context only if the grant's `subject` is a function too, by which the tokens of one subject are kept from another.
 */
export type GrantSecret = string | CredentialFile | ((request: GrantRequest) => string | Promise<string>)

/**
 * A reader of what users give for one. `option` comes first in messages.
 * Throws a `TypeError` for anything else, and the reader for a file or a function that has none.
 */
export function grantSecretReader(option: string, source: GrantSecret): (request: GrantRequest) => Promise<string> {
  if (typeof source === 'string' && source.length > 0) return async () => source
  if (isFile(source)) {
    const read = fileReader(option, source.file)
    return async () => (await read(true)).value.trim()
  }
  if (typeof source !== 'function') {
    throw new TypeError(`${option}: expected a non-empty string, a function that gives one, or { file }`)
  }
  return async (request) => {
    const given: unknown = await source(request)
    if (typeof given === 'string' && given.length > 0) return given
    throw new TypeError(`${option}: the provider must give a non-empty string`)
  }
}
