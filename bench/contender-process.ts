/** One contender in a process of its own, so that CPU time is its alone. Does what the process that started it orders. */
import { setTimeout } from 'node:timers/promises'
import { setClockAhead, takeClock } from './clock-ahead.ts'
import type { Contender, Running, Surroundings } from './contender.ts'

/** What a contender can be told to do. */
export type Order =
  | { readonly kind: 'meet' }
  | { readonly kind: 'start'; readonly surroundings: Surroundings }
  | { readonly kind: 'batch'; readonly calls: number; readonly concurrency: number }
  | { readonly kind: 'pace'; readonly perSecond: number; readonly forMs: number }
  | { readonly kind: 'ahead'; readonly ms: number }

/** Who a contender is. */
export type Introduction = Pick<Contender, 'name' | 'version' | 'bare'>

/** What came of calls. */
export interface Calls {
  readonly ms: number
  readonly cpuMs: number
  /** Milliseconds since the beginning, at which each began; in step with the next two. */
  readonly startedMs: number[]
  readonly latenciesMs: number[]
  /** `200`, another status, or the error's name and code. */
  readonly outcomes: string[]
}

/** An answer to an order. */
export interface Answer {
  readonly id: number
  readonly value?: Introduction | Calls | undefined
  readonly failure?: string
}

const file = process.argv[2] ?? ''
// Before anything of the contender is loaded, since it may keep what it finds.
if (process.env['TOKENWELL_BENCH_CLOCK'] === '1') takeClock()
const { default: contender } = (await import(`./contenders/${file}.ts`)) as { default: Contender }
let running: Running | undefined

// Not performance.now(), which may be set on.
const nowMs = () => Number(process.hrtime.bigint()) / 1e6

function kindOf(error: unknown): string {
  const { name, code, response } = error as { name?: string; code?: string | number; response?: { status?: number } }
  // Some clients throw what others return.
  if (response?.status !== undefined) return String(response.status)
  return [name ?? 'Error', code].filter((part) => part !== undefined).join(' ')
}

class Record {
  readonly startedMs: number[] = []
  readonly latenciesMs: number[] = []
  readonly outcomes: string[] = []
  readonly #began = nowMs()
  readonly #cpu = process.cpuUsage()

  /** Makes one. What has no answer when {@link done} is asked for counts with the time that it has waited. */
  async call(): Promise<void> {
    const started = nowMs()
    const index = this.startedMs.push(started - this.#began) - 1
    this.outcomes.push('no answer')
    this.latenciesMs.push(Number.NaN)
    let outcome: string
    try {
      outcome = String(await running?.call())
    } catch (error) {
      outcome = kindOf(error)
    }
    this.latenciesMs[index] = nowMs() - started
    this.outcomes[index] = outcome
  }

  done(): Calls {
    const endedMs = nowMs() - this.#began
    for (const [index, latency] of this.latenciesMs.entries()) {
      if (Number.isNaN(latency)) this.latenciesMs[index] = endedMs - (this.startedMs[index] ?? 0)
    }
    const { user, system } = process.cpuUsage(this.#cpu)
    const { startedMs, latenciesMs, outcomes } = this
    return { ms: nowMs() - this.#began, cpuMs: (user + system) / 1000, startedMs, latenciesMs, outcomes }
  }
}

// What has no answer after that gets none.
const patienceMs = 30_000

async function batch(calls: number, concurrency: number): Promise<Calls> {
  const record = new Record()
  let left = calls
  const caller = async () => {
    while (left > 0) {
      left -= 1
      await record.call()
    }
  }
  await Promise.race([Promise.all(Array.from({ length: concurrency }, caller)), setTimeout(patienceMs)])
  left = 0
  return record.done()
}

/** Calls begin when they are due, whether those before have ended or not. */
async function pace(perSecond: number, forMs: number): Promise<Calls> {
  const record = new Record()
  const began = nowMs()
  const underWay: Promise<void>[] = []
  const calls = Math.round((forMs / 1000) * perSecond)
  while (underWay.length < calls) {
    const due = Math.min(calls, 1 + ((nowMs() - began) / 1000) * perSecond)
    while (underWay.length < Math.floor(due)) underWay.push(record.call())
    await setTimeout(1000 / perSecond)
  }
  await Promise.race([Promise.all(underWay), setTimeout(5000)])
  return record.done()
}

async function obey(order: Order): Promise<Introduction | Calls | undefined> {
  switch (order.kind) {
    case 'meet': {
      const { name, version, bare } = contender
      return { name, version, ...(bare === undefined ? {} : { bare }) }
    }
    case 'start':
      await running?.close()
      running = await contender.start(order.surroundings)
      return undefined
    case 'batch':
      return batch(order.calls, order.concurrency)
    case 'pace':
      return pace(order.perSecond, order.forMs)
    default:
      setClockAhead(order.ms)
      return undefined
  }
}

process.on('message', ({ id, order }: { id: number; order: Order }) => {
  const answer = (rest: Omit<Answer, 'id'>) => void process.send?.({ id, ...rest } satisfies Answer)
  obey(order).then(
    (value) => answer({ value }),
    (error: unknown) => answer({ failure: String(error) }),
  )
})
// What a contender leaves unhandled is its own matter; the calls that it breaks are counted.
process.on('unhandledRejection', () => undefined)
process.on('uncaughtException', () => undefined)
process.on('disconnect', () => process.exit())
