import { STATUS_CODES, type ServerResponse } from 'node:http'
import { Catch, HttpException, type ArgumentsHost } from '@nestjs/common'
import { BaseExceptionFilter } from '@nestjs/core'

/** What to answer a caller with who is not served: 401 and 403 with a challenge (RFC 6750 §3), 503 when the keys cannot be had. */
export class CallerException extends HttpException {
  constructor(
    status: 401 | 403 | 503,
    readonly challenge?: string,
    cause?: unknown,
  ) {
    super({ statusCode: status, message: STATUS_CODES[status] }, status, { cause })
  }
}

/** Nest's exceptions have no headers. */
@Catch(CallerException)
export class CallerExceptionFilter extends BaseExceptionFilter<CallerException> {
  override catch(exception: CallerException, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<ServerResponse>()
    if (exception.challenge !== undefined) response.setHeader('www-authenticate', exception.challenge)
    // oxlint-disable-next-line promise/valid-params -- a filter's `catch`, no promise's
    super.catch(exception, host)
  }
}
