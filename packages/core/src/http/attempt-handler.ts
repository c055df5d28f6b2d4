import type { Dispatcher } from 'undici'
import { isDpopBound, type AccessToken } from '../oauth/access-token.ts'
import { refusesToken, wantsNonce } from '../oauth/refusal.ts'
import { HoldingHandler, type SendAgain } from './holding-handler.ts'
import { isAmong } from './target.ts'

type Controller = Dispatcher.DispatchController
type Handler = Dispatcher.DispatchHandler
type ResponseHeaders = Parameters<HoldingHandler['onResponseEnd']>[1]

/** A request, and what has been tried of it. */
export interface Attempt {
  readonly request: Dispatcher.DispatchOptions
  /** Undefined when the caller set the Authorization header. */
  readonly token: AccessToken | undefined
  readonly tried: Tried
}

/** What has been tried of a call before: each remedy has its own bound. */
export interface Tried {
  /** How often it was sent after trouble. */
  readonly retries: number
  /** Whether another token was refused. */
  readonly replayed: boolean
  /** Whether it was sent without the nonce that the API wants. */
  readonly challenged: boolean
}

/** Nothing yet. */
export const untried: Tried = Object.freeze({ retries: 0, replayed: false, challenged: false })

/** What is done about failed attempts: one for all requests, so that each costs only its handler. None of it rejects. */
export interface AttemptActions {
  /** Takes note of a 401 or 403 to a request with our token. */
  refused(token: AccessToken, statusCode: 401 | 403, headers: ResponseHeaders): void
  /** After a refused token. */
  replay(attempt: Attempt, refused: AccessToken, handler: Handler): Verdict
  /** After a token that is bound to a key was not refused but its proof had no nonce, or an old one. */
  challenge(attempt: Attempt, token: AccessToken, nonce: string, handler: Handler): Verdict
  /** Takes note of the nonce that a response brings, and gives it back. */
  nonceOf(attempt: Attempt, headers: ResponseHeaders): string | undefined
  /** Is this trouble that may pass? */
  isTrouble(statusCode: number): boolean
  /** After trouble. */
  retry(attempt: Attempt, trouble: Trouble, handler: Handler): Verdict
  accepted(token: AccessToken, handler: Handler): void
}

/** How to send again, once that is known; undefined when that would be of no use. */
type Verdict = Promise<SendAgain | undefined> | undefined

/** A response that says to come again, or why there is none. */
export type Trouble = { readonly headers: ResponseHeaders } | { readonly error: Error }

/** Follows one attempt, and has the request sent again where that may help, which its caller never sees. */
export class AttemptHandler extends HoldingHandler implements Attempt {
  readonly request: Dispatcher.DispatchOptions
  readonly token: AccessToken | undefined
  readonly tried: Tried
  private readonly actions: AttemptActions
  private answered = false
  private history: readonly URL[] | undefined

  // Not from an object: this is made for each call.
  constructor(
    next: Handler,
    actions: AttemptActions,
    request: Dispatcher.DispatchOptions,
    token: AccessToken | undefined,
    tried: Tried,
  ) {
    super(next)
    this.actions = actions
    this.request = request
    this.token = token
    this.tried = tried
  }

  override onRequestStart(controller: Controller, context: unknown): void {
    this.history = (context as { readonly history?: readonly URL[] } | null | undefined)?.history
    super.onRequestStart(controller, context)
  }

  override onResponseStart(
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    statusMessage?: string,
  ): void {
    if (statusCode >= 200) {
      this.answered = true
      const verdict = this.verdict(statusCode, headers)
      if (verdict !== undefined) return this.hold(controller, statusCode, headers, statusMessage, verdict)
      if (this.actions.isTrouble(statusCode)) {
        const retry = this.retryAfter(headers)
        if (retry !== undefined) {
          this.discard(controller, statusCode, headers)
          return this.sendWhen(retry)
        }
      }
    }
    super.onResponseStart(controller, statusCode, headers, statusMessage)
  }

  override onResponseError(controller: Controller, error: Error): void {
    const retry = this.answered ? undefined : this.inContext(() => this.actions.retry(this, { error }, this.next))
    if (retry === undefined) return super.onResponseError(controller, error)
    this.sendWhen(retry)
  }

  private sendWhen(retry: Promise<SendAgain | undefined>): void {
    // Undefined when the call has ended meanwhile, of which its caller was told.
    void retry.then((sendAgain) => (sendAgain === undefined ? undefined : this.inContext(sendAgain)))
  }

  private retryAfter(headers: ResponseHeaders): Verdict {
    return this.inContext(() => this.actions.retry(this, { headers }, this.next))
  }

  private verdict(statusCode: number, headers: ResponseHeaders): Verdict {
    const { token } = this
    if (token === undefined) return undefined
    if (statusCode === 401) return this.hasStrayed() ? undefined : this.verdictOn401(token, headers)
    if (isDpopBound(token) && !this.hasStrayed()) this.actions.nonceOf(this, headers)
    if (statusCode === 403 && !this.hasStrayed()) this.actions.refused(token, statusCode, headers)
    this.actions.accepted(token, this.next)
    return undefined
  }

  // Apart, since what makes closures costs each call, whether they are made or not.
  private verdictOn401(token: AccessToken, headers: ResponseHeaders): Verdict {
    const isBound = isDpopBound(token)
    const nonce = isBound ? this.actions.nonceOf(this, headers) : undefined
    this.actions.refused(token, 401, headers)
    const challenges = headers['www-authenticate']
    if (isBound && wantsNonce(challenges)) {
      if (nonce === undefined) return undefined
      return this.inContext(() => this.actions.challenge(this, token, nonce, this.next))
    }
    if (!refusesToken(challenges, token.tokenType)) return undefined
    return this.inContext(() => this.actions.replay(this, token, this.next))
  }

  // undici's redirect interceptor, below us, takes the token off when it goes to another origin: who answers from there cannot
  // say that it is no longer good.
  private hasStrayed(): boolean {
    const { origin } = this.request
    return this.history?.some((url) => origin === undefined || !isAmong(new Set([url.origin]), origin)) === true
  }
}
