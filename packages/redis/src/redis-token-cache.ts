import { randomBytes } from 'node:crypto'
import type { CachedToken, LeaseAnswer, TokenCache, TokenLease, TokenLeases, TokenWrite } from '@tokenwell/core'
import { CompareAndDelete } from './compare-and-delete.ts'
import { report } from './events.ts'
import { deadlineMs, GuardedCommands } from './guarded-commands.ts'
import { resolveOptions, type RedisTokenCacheOptions, type ResolvedOptions } from './options.ts'
import { openEntry, schemaVersion, sealEntry, type StoredRecord } from './record.ts'
import { commandsOf, type RedisClient, type SendCommand } from './redis-client.ts'
import {
  acquireScript,
  compareAndDeleteScript,
  fenceScript,
  invalidateScript,
  readScript,
  writeScript,
} from './scripts.ts'
import { UnreadableError } from './sealing.ts'

const tombstoneMs = 60_000

/** A token cache that a fleet shares. */
export interface RedisTokenCache extends TokenCache {
  get(key: string): Promise<CachedToken | undefined>
  set(key: string, entry: CachedToken, write?: TokenWrite): Promise<CachedToken | undefined>
  delete(key: string, generation: string): Promise<boolean>
  readonly leases: TokenLeases
}

/**
 * Tokens in Redis or Valkey, for all processes that ask for the same ones. One cache may serve several token sources; the client
 * is neither connected nor closed here. Every operation ends within 250 ms; after one that failed, Redis is left alone for 5 s.
 * Throws a `TypeError` for a wrong option.
 */
export function redisTokenCache(client: RedisClient, options: RedisTokenCacheOptions): RedisTokenCache {
  return new FleetCache(client, resolveOptions(options))
}

/** A lease, and when by Redis's clock it was given. */
interface RedisLease extends TokenLease {
  readonly redisTime: number
  /** When the answer came, by this process's monotonic clock: Redis's was ahead of that by now. */
  readonly receivedAt: number
}

class FleetCache implements RedisTokenCache {
  readonly leases: TokenLeases
  readonly #send: SendCommand
  readonly #commands: GuardedCommands
  readonly #release: CompareAndDelete
  readonly #options: ResolvedOptions

  constructor(client: RedisClient, options: ResolvedOptions) {
    this.#send = commandsOf(client)
    this.#commands = new GuardedCommands(this.#send)
    this.#release = new CompareAndDelete((key, args) =>
      this.#commands.run({ operation: 'release', key, args, read: (answer) => answer }),
    )
    this.#options = options
    this.leases = Object.freeze({
      acquire: (key: string, durationMs: number) => this.#acquire(key, durationMs),
      fence: (key: string) => this.#fence(key),
      release: (key: string, lease: TokenLease) => this.#giveBack(key, lease),
      pause: (key: string, durationMs: number) => this.#pause(key, durationMs),
    })
  }

  async get(key: string): Promise<CachedToken | undefined> {
    return this.#open(key, await this.#eval('get', readScript, key, [], recordOf))
  }

  async set(key: string, entry: CachedToken, write?: TokenWrite): Promise<CachedToken | undefined> {
    const calledAt = performance.now()
    const { remainingMs = entry.token.expiresAt - Date.now(), lease } = write ?? {}
    const { fence, redisTime, receivedAt } = (lease as RedisLease | undefined) ?? (await this.#fence(key))
    const data = await sealEntry(this.#options.sealing, key, entry)
    // By Redis's clock, so that a command that was held up on its way makes no token live longer.
    const end = redisTime + (calledAt - receivedAt) + remainingMs
    const { generation } = entry.token
    const args = [String(schemaVersion), generation, String(fence), data, String(Math.floor(end))]
    const instead = await this.#eval('set', writeScript, key, args, recordOf)
    if (instead === undefined) return undefined
    report({ type: 'late' })
    return this.#open(key, instead)
  }

  async delete(key: string, generation: string): Promise<boolean> {
    return this.#eval(
      'delete',
      invalidateScript,
      key,
      [generation, String(tombstoneMs)],
      (answer) => Number(answer) === 1,
    )
  }

  async #acquire(key: string, durationMs: number): Promise<LeaseAnswer> {
    const owner = randomBytes(16).toString('base64url')
    const late = (answer: unknown) => {
      if (numbersOf(answer)[0] > 0) this.#giveUp(this.#names(key).lease, owner)
    }
    const args = [owner, String(Math.ceil(durationMs))]
    const [fence, redisTime, pausedMs] = await this.#eval('acquire', acquireScript, key, args, numbersOf, late)
    return { lease: fence > 0 ? leaseOf(owner, fence, redisTime) : undefined, pausedMs }
  }

  // It took too long, so that by now Redis is left alone, but for this: nobody else gets what nobody here knows of.
  #giveUp(name: string, owner: string): void {
    const args = ['EVAL', compareAndDeleteScript, '1', name, owner]
    this.#send(name, args, AbortSignal.timeout(deadlineMs)).catch(() => undefined)
  }

  async #fence(key: string): Promise<RedisLease> {
    const [fence, redisTime] = await this.#eval('fence', fenceScript, key, [], numbersOf)
    return leaseOf(undefined, fence, redisTime)
  }

  async #giveBack(key: string, { owner }: TokenLease): Promise<void> {
    if (owner !== undefined) await this.#release.run(this.#names(key).lease, owner)
  }

  async #pause(key: string, durationMs: number): Promise<void> {
    const { pause } = this.#names(key)
    const args = ['SET', pause, '1', 'PX', String(Math.max(Math.floor(durationMs), 1))]
    await this.#commands.run({ operation: 'pause', key: pause, args, read: () => undefined })
  }

  /** The braces make one slot of a Cluster of all that belongs to one token. */
  #names(key: string) {
    const start = `${this.#options.prefix}:{${key}}:`
    return { token: `${start}tok`, lease: `${start}lock`, fence: `${start}fence`, pause: `${start}na` }
  }

  async #eval<Result>(
    operation: string,
    script: string,
    key: string,
    more: readonly string[],
    read: (answer: unknown, tookMs: number) => Result,
    late: (answer: unknown) => void = () => undefined,
  ): Promise<Result> {
    const { token, lease, fence, pause } = this.#names(key)
    const began = performance.now()
    const args = ['EVAL', script, '4', token, lease, fence, pause, ...more]
    const readNow = (answer: unknown) => read(answer, performance.now() - began)
    return this.#commands.run({ operation, key: token, args, read: readNow, late })
  }

  async #open(key: string, stored: StoredRecord | undefined): Promise<CachedToken | undefined> {
    // What `delete` leaves behind has a fence alone.
    if (stored === undefined || stored.data === undefined || stored.remainingMs <= 0) return undefined
    try {
      return await openEntry(this.#options.sealing, key, stored)
    } catch (error) {
      report({ type: 'unreadable', reason: error instanceof UnreadableError ? error.reason : 'undecipherable' })
      return undefined
    }
  }
}

function leaseOf(owner: string | undefined, fence: number, redisTime: number): RedisLease {
  return Object.freeze({ owner, fence, redisTime, receivedAt: performance.now() })
}

// Clients may be set to answer with buffers, and numbers as texts.
function numbersOf(answer: unknown): readonly [number, number, number] {
  const [first, second, third] = Array.isArray(answer) ? answer.map(Number) : []
  const areNumbers = [first, second, third].every((number) => Number.isFinite(number))
  if (!areNumbers) throw new TypeError('Redis answered something else')
  return [first ?? 0, second ?? 0, third ?? 0]
}

/** What is left of the token's life, Redis wrote down at some moment while we waited for it. */
function recordOf(answer: unknown, tookMs: number): StoredRecord | undefined {
  if (!Array.isArray(answer) || (answer.length !== 0 && answer.length !== 5)) {
    throw new TypeError('Redis answered something else')
  }
  if (answer.length === 0) return undefined
  const [schema, generation, , data, remainingMs] = answer as unknown[]
  const text = (value: unknown) => (typeof value === 'string' || Buffer.isBuffer(value) ? value.toString() : undefined)
  return {
    schema: text(schema),
    generation: text(generation),
    data: text(data),
    remainingMs: Number(remainingMs) - tookMs,
  }
}
