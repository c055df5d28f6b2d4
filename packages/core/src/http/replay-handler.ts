import type { Dispatcher } from 'undici'
import type { AccessToken } from '../oauth/access-token.ts'
import { refusesToken } from '../oauth/refusal.ts'
import { ForwardingHandler } from './forwarding-handler.ts'

type Controller = Dispatcher.DispatchController
type StartEvent = Parameters<ForwardingHandler['onResponseStart']>
type EndEvent = Parameters<ForwardingHandler['onResponseEnd']>

type Request = Dispatcher.DispatchOptions

/** What a {@link ReplayHandler} does about a refusal. One for all requests, so that each costs only its handler. */
export interface ReplayActions {
  /** Another token than the refused one, or undefined if there is none to be had. Never rejects. */
  another(request: Request, refused: AccessToken): Promise<AccessToken | undefined>
  /** Sends the request again, for the handler that is still waiting. */
  send(request: Request, token: AccessToken, handler: Dispatcher.DispatchHandler): void
  accepted(token: AccessToken): void
}

/** More of a refused response than this is not worth keeping its connection for. */
const maxDrainBytes = 64 * 1024

/**
 * Holds a 401 that refuses the token back until there is another token: then it is dropped and the request sent again,
 * and the caller never sees it; without one the caller gets it as it came.
 */
export class ReplayHandler extends ForwardingHandler {
  readonly #request: Request
  readonly #token: AccessToken
  readonly #actions: ReplayActions
  #state: 'passing' | 'holding' | 'dropping' = 'passing'
  #start: StartEvent | undefined
  #chunks: Buffer[] | undefined
  #end: EndEvent | undefined
  #drained = 0

  constructor(next: Dispatcher.DispatchHandler, request: Request, token: AccessToken, actions: ReplayActions) {
    super(next)
    this.#request = request
    this.#token = token
    this.#actions = actions
  }

  override onResponseStart(...event: StartEvent): void {
    const [controller, statusCode, headers] = event
    if (statusCode !== 401) {
      if (statusCode >= 200) this.#actions.accepted(this.#token)
      super.onResponseStart(...event)
    } else if (refusesToken(headers['www-authenticate'], this.#token.tokenType)) {
      this.#hold(event, controller)
    } else {
      super.onResponseStart(...event)
    }
  }

  override onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#state === 'passing') super.onResponseData(controller, chunk)
    else if (this.#state === 'holding') (this.#chunks ??= []).push(chunk)
    else {
      this.#drained += chunk.length
      if (this.#drained > maxDrainBytes) controller.abort(new Error('the rest of a refused response is not read'))
    }
  }

  override onResponseEnd(...event: EndEvent): void {
    if (this.#state === 'passing') super.onResponseEnd(...event)
    else this.#end = event
  }

  override onResponseError(controller: Controller, error: Error): void {
    if (this.#state === 'dropping') return
    // Whoever waits for another token finds that there is nothing left to do.
    this.#state = 'passing'
    this.#start = undefined
    super.onResponseError(controller, error)
  }

  #hold(event: StartEvent, controller: Controller): void {
    this.#state = 'holding'
    this.#start = event
    controller.pause()
    void this.#actions.another(this.#request, this.#token).then((token) => {
      if (this.#start === undefined) return
      if (token === undefined) this.#release(controller, this.#start)
      else this.#replay(controller, token)
    })
  }

  #release(controller: Controller, start: StartEvent): void {
    this.#state = 'passing'
    super.onResponseStart(...start)
    for (const chunk of this.#chunks ?? []) super.onResponseData(controller, chunk)
    this.#chunks = undefined
    if (this.#end === undefined) controller.resume()
    else super.onResponseEnd(...this.#end)
  }

  #replay(controller: Controller, token: AccessToken): void {
    this.#state = 'dropping'
    this.#chunks = undefined
    controller.resume()
    this.#actions.send(this.#request, token, this.next)
  }
}
