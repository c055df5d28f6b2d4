import { UpstreamUnreachableError } from '../errors.ts'

// Not every code of the system: a body that is read from a file fails with one of those too.
const trouble =
  /^(?:E(?:AI_\w+|ADDRNOTAVAIL|CONN\w+|HOST\w+|NET\w+|NOTFOUND|PIPE|PROTO|TIMEDOUT)|UND_ERR_(?:CONNECT_TIMEOUT|HEADERS_TIMEOUT|INFO|PRX_CONN|PRX_TLS|SOCKET))$/
const late = /^(?:ETIMEDOUT|UND_ERR_(?:CONNECT|HEADERS)_TIMEOUT)$/
// Trying again would bring the same: something that is not HTTP, or a certificate that is not to be trusted.
const wrong =
  /^(?:UND_ERR_HEADERS_OVERFLOW$|ERR_(?:SSL|TLS)_|CERT_|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|UNABLE_TO_(?:GET_|VERIFY_))/

/**
 * What a call is told of trouble on its way to the API: undici's errors have its address in their message. Any other error, such
 * as one of undici's about the call itself, comes back as it is.
 */
export function toldOf(error: Error, upstream: string | undefined): Error {
  const { name, code, syscall } = error as NodeJS.ErrnoException
  const text = typeof code === 'string' ? code : ''
  const isWrong = wrong.test(text) || name === 'HTTPParserError'
  if (!isWrong && !trouble.test(text) && syscall !== 'connect' && syscall !== 'getaddrinfo') return error
  const statusCode = isWrong ? 502 : late.test(text) ? 504 : undefined
  return new UpstreamUnreachableError('the API could not be reached', { upstream, cause: error, statusCode })
}
