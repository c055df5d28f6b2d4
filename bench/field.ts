import { fork, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import type { Surroundings } from './contender.ts'
import type { Answer, Calls, Introduction, Order } from './contender-process.ts'
import { quick } from './publish.ts'
import { requestToken } from './request-token.ts'
import type { BenchServers } from './servers.ts'

/** HTTP clients with a fixed header: what is left when tokens cost nothing. The first is the limit of all. */
export const bareClients = [
  'bare-request',
  'bare-dispatch',
  'bare-undici-fetch',
  'bare-undici-7',
  'bare-node-fetch',
  'bare-axios',
  'bare-got',
  'bare-gaxios',
]

/** Those who get their own tokens. */
export const tokenClients = [
  'tokenwell-request',
  'tokenwell-dispatcher',
  'tokenwell-fetch',
  'openid-client',
  'badgateway-oauth2-client',
  'undici-oidc-interceptor',
  'simple-oauth2',
  'axios-token-interceptor',
  'got-hooks',
  'google-auth-library',
  'msal-node',
  'fetch-by-hand',
]

/** The limit, whose rounds all others are compared with. */
export const limit = 'bare-request'
/** The limit once more, as another contender: how far apart two figures of the same thing are. */
export const noise = 'noise'

/**
 * Node.js's default, but from the beginning. It grows by what a process has allocated so far, so that merely loading one more
 * library would leave caches colder for as long as the bench lasts, by a fifth of a call.
 */
export const evenYoungSpace = ['--min-semi-space-size=16', '--max-semi-space-size=16'] as const

/** So many calls until V8 has nothing left to compile: that counts as CPU too, and after 6,000 it is not done. */
export const untilCompiled = quick ? 100 : 25_000

/** A contender in a process of its own. */
export class Runner {
  readonly file: string
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #introduction: Introduction = { name: 'unknown', version: 'unknown' }
  #orders = 0
  #exited = false

  constructor(file: string, clockMoves: boolean) {
    this.file = file
    const module = file === noise ? limit : file
    const env = { ...process.env, TOKENWELL_BENCH_CLOCK: clockMoves ? '1' : '0', NODE_NO_WARNINGS: '1' }
    this.#child = fork(join(import.meta.dirname, 'contender-process.ts'), [module], {
      env,
      execArgv: [...evenYoungSpace],
      serialization: 'advanced',
      // What a contender has to say about a failing token endpoint is not for this output.
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let complaint = ''
    this.#child.stderr?.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(0, 2000)))
    this.#child.on('message', (answer: Answer) => {
      this.#waiting.get(answer.id)?.(answer)
      this.#waiting.delete(answer.id)
    })
    this.#child.on('exit', () => {
      this.#exited = true
      const reason = /^\w*Error.*$/m.exec(complaint)?.[0] ?? 'its process ended'
      for (const [id, settle] of this.#waiting) settle({ id, failure: reason })
      this.#waiting.clear()
    })
  }

  get name(): string {
    return this.file === noise ? `${this.#introduction.name}, again (noise)` : this.#introduction.name
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get version(): string {
    return this.#introduction.version
  }

  /** The file of the same HTTP client with a fixed header. */
  get bare(): string {
    return this.file === noise ? limit : (this.#introduction.bare ?? this.file)
  }

  async meet(): Promise<void> {
    this.#introduction = (await this.#order({ kind: 'meet' })) as Introduction
  }

  /** Starts anew, without a token. */
  async start(servers: BenchServers, lifetimeMs: number): Promise<void> {
    // Got here, so that no bare client has done anything but calls.
    const fixed = await requestToken(servers.tokenEndpoint, 'limit', 'secret')
    const surroundings: Surroundings = {
      apiUrl: `${servers.apiUrl}/invoices`,
      tokenEndpoint: servers.tokenEndpoint,
      clientId: this.file,
      clientSecret: 'secret',
      fixedHeader: `Bearer ${fixed.accessToken}`,
      lifetimeMs,
    }
    await this.#order({ kind: 'start', surroundings })
  }

  /** The same in the middle of a run. Who cannot start again fails the calls that follow. */
  async restart(servers: BenchServers, lifetimeMs: number): Promise<void> {
    await this.start(servers, lifetimeMs).catch(() => undefined)
  }

  /** So many calls, as many at a time, without a pause. */
  batch(calls: number, concurrency: number): Promise<Calls> {
    return this.#calls({ kind: 'batch', calls, concurrency }, calls)
  }

  /** Calls at this rate. */
  pace(perSecond: number, forMs: number): Promise<Calls> {
    return this.#calls({ kind: 'pace', perSecond, forMs }, (perSecond * forMs) / 1000)
  }

  /** Sets its clocks on. Only where the field was assembled for it. */
  async ahead(ms: number): Promise<void> {
    await this.#order({ kind: 'ahead', ms }).catch(() => undefined)
  }

  stop(): void {
    this.#child.kill()
  }

  /** A contender that breaks down has failed its calls, and the others go on. */
  async #calls(order: Order, calls: number): Promise<Calls> {
    try {
      return (await this.#order(order)) as Calls
    } catch (error) {
      const none = Array.from({ length: calls }, () => Number.NaN)
      const outcomes = none.map(() => (error as Error).message)
      return { ms: Number.NaN, cpuMs: Number.NaN, startedMs: none, latenciesMs: none, outcomes }
    }
  }

  async #order(order: Order): Promise<Answer['value']> {
    const { promise, resolve } = Promise.withResolvers<Answer>()
    const id = (this.#orders += 1)
    if (this.#exited) throw new Error('its process ended')
    this.#waiting.set(id, resolve)
    this.#child.send({ id, order })
    const { value, failure } = await promise
    if (failure !== undefined) throw new Error(failure)
    return value
  }
}

/** Contenders that are ready, and why others are not. */
export interface Field {
  readonly runners: readonly Runner[]
  readonly absent: readonly { readonly name: string; readonly reason: string }[]
  stop(): void
}

/** What {@link assemble} needs to know. */
export interface Assembly {
  readonly lifetimeMs?: number
  readonly clockMoves?: boolean
}

/** Starts these contenders and has each make a first call. Who cannot is left out, by name and with the reason. */
export async function assemble(
  files: readonly string[],
  servers: BenchServers,
  { lifetimeMs = 3_600_000, clockMoves = false }: Assembly = {},
): Promise<Field> {
  const absent: { name: string; reason: string }[] = []
  const ready: Runner[] = []
  for (const file of files) {
    const runner = new Runner(file, clockMoves)
    try {
      await runner.meet()
      await runner.start(servers, lifetimeMs)
      const { outcomes } = await runner.batch(1, 1)
      if (outcomes[0] !== '200') throw new Error(`its first call ended with ${outcomes[0]}`)
      ready.push(runner)
    } catch (error) {
      absent.push({ name: file, reason: (error as Error).message })
      runner.stop()
    }
  }
  return { runners: ready, absent, stop: () => ready.forEach((runner) => runner.stop()) }
}
