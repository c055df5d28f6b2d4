import { redactedCause } from '../diagnostics/redact.ts'
import { UpstreamUnreachableError } from '../errors.ts'

// Not every code of the system: a body that is read from a file fails with one of those too.
const trouble =
  /^(?:E(?:AI_\w+|ADDRNOTAVAIL|CONN\w+|HOST\w+|NET\w+|NOTFOUND|PIPE|PROTO|TIMEDOUT)|ERR_HTTP2_(?:GOAWAY_SESSION|INVALID_SESSION|SESSION_ERROR|STREAM_ERROR)|UND_ERR_(?:CONNECT_TIMEOUT|HEADERS_TIMEOUT|INFO|PRX_CONN|PRX_TLS|SOCKET|SOCKS5\w*))$/
const late = /^(?:ETIMEDOUT|UND_ERR_(?:CONNECT|HEADERS)_TIMEOUT)$/
// Trying again would bring the same: something that is not HTTP, or a certificate that is not to be trusted.
const wrong =
  /^(?:UND_ERR_(?:HEADERS_OVERFLOW|RES_CONTENT_LENGTH_MISMATCH)$|ERR_(?:SSL|TLS)_|CERT_|CRL_|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|UNABLE_TO_|(?:INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|PATH_LENGTH_EXCEEDED)$)/

/**
 * What a call is told of trouble on its way to the API: undici's errors have its address in their message. Any other error, such
 * as one of undici's about the call itself, comes back as it is.
 */
export function toldOf(error: Error, upstream: string | undefined): Error {
  const { name, code, syscall } = error as NodeJS.ErrnoException
  const text = typeof code === 'string' ? code : ''
  const isNotHttp = name === 'HTTPParserError'
  const isWrong = isNotHttp || wrong.test(text)
  const isTrouble = trouble.test(text) || syscall === 'connect' || syscall === 'getaddrinfo' || isProxyRefusal(error)
  if (isOfInboundBody(error) || (!isWrong && !isTrouble)) return error
  // That error has with it the bytes which it stumbled over.
  const cause = isNotHttp ? redactedCause(error) : error
  const statusCode = isWrong ? 502 : late.test(text) ? 504 : undefined
  return new UpstreamUnreachableError('the API could not be reached', { upstream, cause, statusCode })
}

// A body that comes from node:http, such as that of the request that is served, when whoever sends it hangs up.
function isOfInboundBody({ message, code }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNRESET' && message === 'aborted'
}

// undici has the code of an abort for it, and nothing else to tell it by.
function isProxyRefusal({ message, code }: NodeJS.ErrnoException): boolean {
  return code === 'UND_ERR_ABORTED' && message.startsWith('Proxy response (')
}

/** Carries what was thrown before a request was sent through undici's fetch, which would take it for trouble of the network. */
export class Unsent extends Error {
  readonly thrown: unknown

  constructor(thrown: unknown) {
    super('not sent')
    this.thrown = thrown
  }
}
