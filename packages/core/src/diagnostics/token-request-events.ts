import { tokenRequest, type TokenRequestEvent } from './channels.ts'
import { errorType } from './error-type.ts'

/** What is known of a request before it is sent. */
export interface AboutTokenRequest {
  readonly upstream: string | undefined
  readonly grantType: string
  readonly url: string
}

/** One request to the token endpoint: it begins when something is sent, and ends when the answer is understood. */
export class TokenRequestTrace {
  #event: TokenRequestEvent | undefined

  /** Sends, and takes note of the answer's status. */
  async send<Answer extends { readonly status: number }>(
    { upstream, grantType, url }: AboutTokenRequest,
    exchange: () => Promise<Answer>,
  ): Promise<Answer> {
    if (!tokenRequest.hasSubscribers) return exchange()
    const { hostname, port, protocol } = new URL(url)
    const event: TokenRequestEvent = {
      upstream,
      grantType,
      serverAddress: hostname.replace(/^\[|\]$/g, ''),
      serverPort: port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port),
      statusCode: undefined,
      errorType: undefined,
    }
    this.#event = event
    const sent = tokenRequest.start.runStores(event, exchange)
    tokenRequest.end.publish(event)
    const answer = await sent
    event.statusCode = answer.status
    return answer
  }

  /** What the answer is made of, in which `send` is called once at most. */
  async follow<Result>(request: Promise<Result>): Promise<Result> {
    try {
      return await request
    } catch (error) {
      if (this.#event !== undefined) {
        this.#event.errorType = errorType(error)
        tokenRequest.error.publish(this.#event)
      }
      throw error
    } finally {
      const event = this.#event
      this.#event = undefined
      if (event !== undefined) {
        tokenRequest.asyncStart.publish(event)
        tokenRequest.asyncEnd.publish(event)
      }
    }
  }
}
