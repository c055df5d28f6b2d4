import { createManualClock, type ManualClock } from '@tokenwell/testing'
import { setImmediate } from 'node:timers/promises'
import { tokenSourceFor } from '../../src/create-token-source.ts'
import { clientCredentials, clientSecretBasic, type AccessToken, type RenewalOptions } from '../../src/index.ts'
import type { HttpExchange } from '../../src/oauth/http-exchange.ts'
import { resolveOAuthOptions } from '../../src/options.ts'

/** How the authorization server answers a token request. Tokens are numbered as they are issued: `token-1`, `token-2`… */
export interface Answer {
  /** Default 200. */
  readonly status?: number
  readonly error?: string
  /** Default 3600; `"missing"` leaves it out. */
  readonly expiresIn?: unknown
  readonly refreshIn?: unknown
  readonly tokenType?: string
  readonly retryAfter?: string
  /** Virtual milliseconds. */
  readonly delayMs?: number
  /** Instead of the JSON that it would be. */
  readonly text?: string
  readonly unreachable?: boolean
}

/** One row: what the clock says, what the server would answer, what is called, and what must come of it. */
export interface Step {
  /** Virtual milliseconds since the start. */
  readonly at: number
  /** Steps the wall clock alone. */
  readonly wall?: number
  /** The answers from now on, in turn; the last one repeats. */
  readonly server?: Answer | readonly Answer[]
  readonly do: 'get' | 'peek' | 'force' | 'invalidate' | 'close'
  /** Callers at the same time. Default 1. */
  readonly times?: number
  /** Asks for another token: the tenant of the call. */
  readonly tenant?: string
  /** `token-n`, `none`, `true`, `false` or an error's code. Which of all callers' outcomes there were, if they differ. */
  readonly gives: string | readonly string[]
  /** For errors: members that they must have. */
  readonly with?: Readonly<Record<string, unknown>>
  /** Virtual milliseconds until all callers had their answer. Default 0. */
  readonly takes?: number
  /** Token requests since the start. */
  readonly requests: number
  /** When the next call begins a renewal: a call one millisecond earlier must not, and a call then must. */
  readonly renewsAt?: number
}

/** A course of events for one token source. */
export interface Scenario {
  readonly name: string
  readonly regressions?: string
  readonly renewal?: RenewalOptions
  /** What every random draw gives, from 0 to 1. Default 0. */
  readonly draw?: number
  readonly steps: readonly Step[]
}

/** What happened in one step, to be compared with the row. */
export interface Outcome {
  readonly at: number
  readonly gives: string | readonly string[]
  readonly with: Readonly<Record<string, unknown>> | undefined
  readonly takes: number
  readonly requests: number
  readonly renewsAt: number | undefined
}

/** Runs a scenario on virtual time and gives what happened, row by row. */
export async function runScenario(scenario: Scenario): Promise<Outcome[]> {
  const world = createWorld(scenario)
  const outcomes: Outcome[] = []
  for (const step of scenario.steps) outcomes.push(await world.run(step))
  await world.source.close()
  return outcomes
}

function createWorld({ renewal = {}, draw = 0 }: Scenario) {
  const clock = createManualClock()
  const started = { wall: clock.now(), monotonic: clock.monotonic() }
  const elapsed = () => clock.monotonic() - started.monotonic
  const server = createServer(clock)
  const options = resolveOAuthOptions(
    {
      tokenEndpoint: 'https://as.example/token',
      clientId: 'orders',
      clientAuth: clientSecretBasic('s'),
      grant: clientCredentials({ parameters: ({ tenant }) => (tenant === undefined ? {} : { tenant }) }),
      renewal,
      clock,
    },
    '',
  )
  const connection = { exchange: server.exchange, close: async () => {} }
  const source = tokenSourceFor(options, undefined, connection, () => draw)
  let last: AccessToken | undefined

  async function call(step: Pick<Step, 'do' | 'tenant'>): Promise<string> {
    const context = step.tenant === undefined ? {} : { tenant: step.tenant }
    if (step.do === 'peek') return source.peek(context)?.value ?? 'none'
    if (step.do === 'invalidate') return String(last !== undefined && source.invalidate(last))
    if (step.do === 'close') return source.close().then(() => 'none')
    last = await source.get({ context, forceRenewal: step.do === 'force' })
    return last.value
  }

  async function run(step: Step): Promise<Outcome> {
    await clock.advance(step.at - elapsed())
    clock.stepWall(step.wall ?? 0)
    if (step.server !== undefined) server.answerWith(step.server)
    const began = elapsed()
    const calls = Array.from({ length: step.times ?? 1 }, async () => {
      try {
        return { gives: await call(step), error: undefined }
      } catch (error) {
        return { gives: (error as { code: string }).code, error: error as Record<string, unknown> }
      }
    })
    const results = await driven(clock, Promise.all(calls))
    const takes = elapsed() - began
    await settle()
    const gives = [...new Set(results.map((result) => result.gives))]
    const error = results.at(-1)?.error
    const seen = Object.fromEntries(Object.keys(step.with ?? {}).map((name) => [name, readable(error?.[name])]))
    const requests = server.requests()
    return {
      at: step.at,
      gives: gives.length === 1 ? (gives[0] ?? '') : gives,
      with: step.with === undefined ? undefined : seen,
      takes,
      requests,
      renewsAt: step.renewsAt === undefined ? undefined : await renewsAt(step),
    }
  }

  // Times in errors are on the wall clock; rows count from the start.
  const readable = (value: unknown) =>
    typeof value === 'number' && value >= started.wall ? value - started.wall : value

  async function renewsAt({ renewsAt: expected = 0, tenant }: Step): Promise<number | undefined> {
    for (const at of [expected - 1, expected]) {
      const before = server.requests()
      await clock.advance(at - elapsed())
      await driven(clock, call({ do: 'get', ...(tenant === undefined ? {} : { tenant }) }))
      await settle()
      if (server.requests() > before) return at
    }
    return undefined
  }

  return { run, source }
}

function createServer(clock: ManualClock) {
  let answers: readonly Answer[] = [{}]
  let requests = 0
  let issued = 0
  const exchange: HttpExchange = async ({ signal }) => {
    requests += 1
    const [answer = {}, ...rest] = answers
    if (rest.length > 0) answers = rest
    if (answer.delayMs !== undefined) await pause(clock, answer.delayMs, signal)
    if (answer.unreachable === true) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    const { status = 200, error, expiresIn = 3600, refreshIn, tokenType = 'Bearer', retryAfter, text } = answer
    const good = error === undefined && status === 200 && text === undefined
    if (good) issued += 1
    const token = {
      access_token: `token-${issued}`,
      token_type: tokenType,
      ...(expiresIn === 'missing' ? {} : { expires_in: expiresIn }),
      ...(refreshIn === undefined ? {} : { refresh_in: refreshIn }),
    }
    const headers = new Headers({ 'content-type': 'application/json' })
    if (retryAfter !== undefined) headers.set('retry-after', retryAfter)
    return { status, headers, body: text ?? JSON.stringify(good ? token : error === undefined ? {} : { error }) }
  }
  return {
    exchange,
    requests: () => requests,
    answerWith(next: Answer | readonly Answer[]) {
      answers = Array.isArray(next) ? (next as readonly Answer[]) : [next as Answer]
    },
  }
}

function pause(clock: ManualClock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const cancel = clock.setTimer(resolve, ms)
  signal?.addEventListener('abort', () => {
    cancel()
    reject(signal.reason)
  })
  return promise
}

/** Moves the clock on by the millisecond until the promise has settled. */
async function driven<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  const wait = { pending: true }
  const done = () => void (wait.pending = false)
  promise.then(done, done)
  await settle()
  while (wait.pending) {
    // What is due now, such as a pause of nothing, before time goes on.
    await clock.advance(0)
    await settle()
    if (wait.pending) await clock.advance(1)
  }
  return promise
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await setImmediate()
}
