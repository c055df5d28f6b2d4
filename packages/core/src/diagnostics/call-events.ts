import { systemClock } from '../clock.ts'
import { upstreamRefused, upstreamReplay, type UpstreamRefusedEvent, type UpstreamReplayEvent } from './channels.ts'
import { errorType } from './error-type.ts'
import { Notices, type NoticeLog } from './notices.ts'

/** What an API refused, and what was done about it: told to whoever listens, and to an operator if no token is good enough. */
export class CallEvents {
  readonly #upstream: string | undefined
  readonly #notices: Notices

  constructor(upstream: string | undefined, log: NoticeLog | undefined) {
    this.#upstream = upstream
    this.#notices = new Notices(systemClock, log)
  }

  /** A 401 or 403; `read` reads the challenge, only if somebody listens. */
  refused(
    statusCode: UpstreamRefusedEvent['statusCode'],
    read: () => Pick<UpstreamRefusedEvent, 'challenge' | 'scope'>,
  ): void {
    if (!upstreamRefused.hasSubscribers) return
    const { challenge, scope } = read()
    upstreamRefused.publish({ upstream: this.#upstream, statusCode, challenge, scope } satisfies UpstreamRefusedEvent)
  }

  /** A refused request was sent again, or not. `error`: of the renewal. */
  replay(reason: UpstreamReplayEvent['reason'], outcome: UpstreamReplayEvent['outcome'], error?: unknown): void {
    if (!upstreamReplay.hasSubscribers) return
    const type = error === undefined ? undefined : errorType(error)
    upstreamReplay.publish({
      upstream: this.#upstream,
      reason,
      outcome,
      errorType: type,
    } satisfies UpstreamReplayEvent)
  }

  /** A token that was just issued was refused. `log` is that of the call. */
  refusesAll(log: NoticeLog | undefined): void {
    const message =
      'The API refuses tokens that the authorization server has just issued: check that audience, resource and scope are what the API expects, that it trusts this issuer, and its clock. Calls get its 401, and tokens are replaced less and less often, once a minute at last.'
    this.#notices.raise(
      'refused',
      { level: 'error', fields: { upstream: this.#upstream, statusCode: 401 }, message },
      log,
    )
  }

  /** A token that took the place of a refused one is good. */
  accepted(log: NoticeLog | undefined): void {
    this.#notices.settle('refused', { upstream: this.#upstream }, 'The API takes the tokens again.', log)
  }
}
