/**
 * No client that anybody uses: the least that could keep the promises of a call for nobody in particular. It looks at the path, the
 * origin and the headers, asks our token source, and has one handler, which could end the call at its deadline and look at a 401.
 * What ours takes beyond this is ours to explain.
 */
import { Agent, Dispatcher } from 'undici'
import { clientSecretBasic, createTokenSource } from '../../packages/core/dist/index.js'
import type { Contender } from '../contender.ts'
import { versionOf } from '../version-of.ts'

type Handler = Dispatcher.DispatchHandler
type Controller = Dispatcher.DispatchController
type Event<Name extends keyof Handler> = Parameters<NonNullable<Handler[Name]>>

const timeoutMs = 30_000
const needsCare = /[^!-~]|[%\\#]|\.\.|\/\//

/** A place in the line of those whose deadline comes. */
class Place {
  before: Place = this
  after: Place = this
  deadlineAt = 0
}

class Call extends Place implements Handler, Controller {
  private readonly next: Handler
  /** What a second sending would need. */
  readonly request: Dispatcher.DispatchOptions
  readonly token: object
  private controller: Controller | undefined
  private over = false

  constructor(next: Handler, request: Dispatcher.DispatchOptions, token: object, line: Place) {
    super()
    this.next = next
    this.request = request
    this.token = token
    this.deadlineAt = Math.ceil(performance.now()) + timeoutMs
    this.before = line.before
    this.after = line
    line.before.after = this
    line.before = this
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.controller = controller
    this.next.onRequestStart?.(this, context)
  }

  onRequestUpgrade(...event: Event<'onRequestUpgrade'>): void {
    this.next.onRequestUpgrade?.(...event)
  }

  onResponseStart(...[, statusCode, headers, message]: Event<'onResponseStart'>): void {
    if (this.over) return
    if (statusCode === 401) throw new Error('here the request would be sent again')
    this.deadlineAt = 0
    this.next.onResponseStart?.(this, statusCode, headers, message)
  }

  onResponseData(_controller: Controller, chunk: Buffer): void {
    if (!this.over) this.next.onResponseData?.(this, chunk)
  }

  onResponseEnd(_controller: Controller, trailers: Event<'onResponseEnd'>[1]): void {
    if (this.over) return
    this.next.onResponseEnd?.(this, trailers)
    this.end()
  }

  onResponseError(_controller: Controller, error: Error): void {
    if (this.over) return
    this.end()
    this.next.onResponseError?.(this, error)
  }

  abort(reason: Error): void {
    this.controller?.abort(reason)
  }

  pause(): void {
    this.controller?.pause()
  }

  resume(): void {
    this.controller?.resume()
  }

  get paused(): boolean {
    return this.controller?.paused ?? false
  }

  get aborted(): boolean {
    return this.controller?.aborted ?? false
  }

  get reason(): Error | null {
    return this.controller?.reason ?? null
  }

  private end(): void {
    this.over = true
    this.before.after = this.after
    this.after.before = this.before
  }
}

export default {
  name: 'the least that could do it',
  version: versionOf('undici'),
  bare: 'bare-request',
  async start({ apiUrl, tokenEndpoint, clientId, clientSecret }) {
    const { origin, pathname: path } = new URL(apiUrl)
    const source = createTokenSource({ tokenEndpoint, clientId, clientAuth: clientSecretBasic(clientSecret) })
    await source.get()
    const agent = new Agent()
    const origins = new Set([origin])
    const line = new Place()
    const calls: Pick<Dispatcher, 'dispatch'> = {
      dispatch(options, handler) {
        const token = source.peek()
        if (token === undefined || !origins.has(String(options.origin)) || options.headers)
          throw new Error('not foreseen')
        const headers = { authorization: `${token.tokenType} ${token.value}` }
        return agent.dispatch({ ...options, headers }, new Call(handler, options, token, line))
      },
    }
    return {
      async call() {
        if (needsCare.test(path)) throw new Error('not foreseen')
        const options = { origin, path, method: 'GET' } as const
        const { statusCode, body } = await Dispatcher.prototype.request.call(calls as Dispatcher, options)
        await body.dump()
        return statusCode
      },
      async close() {
        await agent.close()
        await source.close()
      },
    }
  },
} satisfies Contender
