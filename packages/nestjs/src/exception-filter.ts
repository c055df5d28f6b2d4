import type { ServerResponse } from 'node:http'
import { Catch, Inject, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common'
import { BaseExceptionFilter, HttpAdapterHost } from '@nestjs/core'
import { TokenwellError } from '@tokenwell/core'

/**
 * Answers the caller of a request in which a call to an upstream failed: with the status of the `TokenwellError`, its
 * message, which names the upstream at most, and its headers, which Nest does not send by itself: `Retry-After`, or the
 * challenge of a 401. Nest logs the error, as it does without this filter.
 *
 * For HTTP: what else the error ends is left to Nest. An error status of the API is a response, and nothing to catch.
 */
@Catch(TokenwellError)
export class TokenwellExceptionFilter extends BaseExceptionFilter<TokenwellError> implements ExceptionFilter {
  protected override readonly httpAdapterHost: HttpAdapterHost

  constructor(@Inject(HttpAdapterHost) httpAdapterHost: HttpAdapterHost) {
    super()
    this.httpAdapterHost = httpAdapterHost
  }

  override catch(error: TokenwellError, host: ArgumentsHost): void {
    const response = responseOf(host)
    // Nest then does what it does where no filter takes an error.
    if (response === undefined) return
    if (!response.headersSent) {
      for (const [name, value] of Object.entries(error.headers ?? {})) response.setHeader(name, value)
    }
    // What `fetch` rejects with has the message that its callers look for, which says nothing to ours.
    const told = error instanceof TypeError ? error.reissue({ cause: error }) : error
    // oxlint-disable-next-line promise/valid-params, promise/no-promise-in-callback -- a filter's `catch`, no promise's
    super.catch(told, host)
  }
}

/** The response below the framework, since Nest 11 on Fastify has no way to set a header when a middleware failed. */
function responseOf(host: ArgumentsHost): ServerResponse | undefined {
  if (host.getType() !== 'http') return undefined
  const response = host.switchToHttp().getResponse<(Partial<ServerResponse> & { raw?: ServerResponse }) | undefined>()
  const raw = response?.raw ?? response
  // Libraries that run handlers of their own by Nest call them HTTP unless they say otherwise.
  return typeof raw?.setHeader === 'function' ? (raw as ServerResponse) : undefined
}
