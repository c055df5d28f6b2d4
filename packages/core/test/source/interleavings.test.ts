import { setImmediate } from 'node:timers/promises'
import { createManualClock } from '@tokenwell/testing'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { tokenSourceFor } from '../../src/create-token-source.ts'
import { clientCredentials, clientSecretBasic, TokenwellError, type AccessToken } from '../../src/index.ts'
import type { HttpExchangeResponse } from '../../src/oauth/http-exchange.ts'
import { resolveOAuthOptions } from '../../src/options.ts'

const tenants = ['a', 'b'] as const
type Tenant = (typeof tenants)[number]

type Command =
  | { readonly do: 'get' | 'abortable' | 'force' | 'peek' | 'refuse'; readonly tenant: Tenant }
  | { readonly do: 'answer'; readonly which: number; readonly answer: Answer }
  | { readonly do: 'tick'; readonly ms: number }
  | { readonly do: 'abort' | 'rotate' }

type Answer = { readonly expiresIn: number } | { readonly status: number; readonly error?: string } | 'reset'

const anyTenant = fc.constantFrom(...tenants)
const answer: fc.Arbitrary<Answer> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ expiresIn: fc.constantFrom(0, 1, 10, 60, 3600) }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Answer>(
      { status: 503 },
      { status: 400, error: 'invalid_scope' },
      { status: 401, error: 'invalid_client' },
    ),
  },
  { weight: 1, arbitrary: fc.constant<Answer>('reset') },
)
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('get' as const, 'abortable' as const), tenant: anyTenant }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('answer' as const), which: fc.nat(3), answer }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('tick' as const),
      ms: fc.constantFrom(1, 300, 600, 2500, 7000, 30_000, 3_000_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('peek' as const, 'refuse' as const, 'force' as const),
      tenant: anyTenant,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('abort' as const, 'rotate' as const) }) },
)

interface Pending {
  readonly tenant: Tenant
  readonly sentAt: number
  readonly sentIn: number
  readonly answer: (answer: Answer) => void
  done: boolean
}

interface Issued {
  readonly tenant: Tenant
  /** When it may no longer be handed out, by the arithmetic of the specification. */
  readonly usableUntil: number
  readonly answeredAt: number
  readonly sentIn: number
  refused: boolean
}

/** A token source, the server that it asks, and what must hold between them whatever happens in which order. */
class World {
  readonly clock = createManualClock()
  readonly pending: Pending[] = []
  readonly issued = new Map<string, Issued>()
  /** The last token that each tenant got from what was at hand. */
  readonly atHand = new Map<Tenant, AccessToken>()
  /** Requests that were given up for a newer one: they may still be on the way. */
  readonly superseded = new Map<Tenant, number>()
  /** When each tenant's token was last refused: what was asked for before may be refused as well. */
  readonly refusedIn = new Map<Tenant, number>()
  readonly waiting = new Set<Promise<unknown>>()
  readonly aborts: AbortController[] = []
  secret = 1
  #step = 0
  /** What was found wrong while nobody was looking. */
  #violation: unknown

  readonly source = tokenSourceFor(
    resolveOAuthOptions(
      {
        tokenEndpoint: 'https://as.example/token',
        clientId: 'orders',
        clientAuth: clientSecretBasic(() => `secret-${this.secret}`),
        grant: clientCredentials({ scope: (context) => context.tenant ?? '' }),
        clock: this.clock,
      },
      '',
    ),
    undefined,
    { exchange: (request) => this.#receive(request.body ?? '', request.signal), close: async () => {} },
    () => 0.5,
  )

  #receive(body: string, signal: AbortSignal | undefined): Promise<HttpExchangeResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpExchangeResponse>()
    const request: Pending = {
      tenant: new URLSearchParams(body).get('scope') as Tenant,
      sentAt: this.clock.monotonic(),
      sentIn: this.#step,
      done: false,
      answer: (given) => {
        request.done = true
        if (given === 'reset') reject(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))
        else resolve(this.#respond(request, given))
      },
    }
    signal?.addEventListener('abort', () => {
      request.done = true
      reject(signal.reason)
    })
    this.pending.push(request)
    try {
      this.#checkOneFlight(request.tenant)
    } catch (error) {
      this.#violation ??= error
    }
    return promise
  }

  #respond({ tenant, sentAt, sentIn }: Pending, given: Exclude<Answer, 'reset'>): HttpExchangeResponse {
    const headers = new Headers({ 'content-type': 'application/json' })
    if ('status' in given) return { status: given.status, headers, body: JSON.stringify({ error: given.error }) }
    const value = `${tenant}-${this.issued.size + 1}`
    const lifeMs = given.expiresIn * 1000
    const slackMs = Math.min(Math.min(Math.max(0.05 * lifeMs, 500), 5000), lifeMs / 2)
    const answeredAt = this.#step
    this.issued.set(value, { tenant, usableUntil: sentAt + lifeMs - slackMs, answeredAt, sentIn, refused: false })
    const body = JSON.stringify({ access_token: value, token_type: 'Bearer', expires_in: given.expiresIn })
    return { status: 200, headers, body }
  }

  #checkOneFlight(of: Tenant): void {
    const open = this.pending.filter(({ tenant, done }) => tenant === of && !done)
    expect(open.length, 'at most one request per key').toBeLessThanOrEqual(1 + (this.superseded.get(of) ?? 0))
  }

  /** A call, and what must be true of what it gives. */
  async #call(of: Tenant, signal?: AbortSignal): Promise<void> {
    const began = this.#step
    const at = this.clock.monotonic()
    const held = this.atHand.get(of)
    let outcome: AccessToken | Error | undefined
    const call = this.source.get({ context: { tenant: of }, ...(signal === undefined ? {} : { signal }) })
    const settled = call
      .then(
        (token) => {
          outcome = token
          this.#checkToken(token, of, began, at)
        },
        (error: Error) => {
          outcome = error
          expect(error instanceof TokenwellError || error === signal?.reason, 'a typed error').toBe(true)
        },
      )
      .catch((error: unknown) => {
        this.#violation ??= error
      })
    this.waiting.add(settled)
    void settled.finally(() => this.waiting.delete(settled))
    await settle()
    const usable = held !== undefined && this.#isUsable(held, at)
    if (usable) expect(outcome, 'no usable token is lost').toHaveProperty('value')
  }

  #isUsable(token: AccessToken, at: number): boolean {
    const known = this.issued.get(token.value)
    return known !== undefined && !known.refused && at < known.usableUntil
  }

  #checkToken(token: AccessToken, of: Tenant, began: number, at: number): void {
    const known = this.issued.get(token.value)
    expect(known?.tenant, "no other key's token").toBe(of)
    if (known === undefined || known.answeredAt >= began) return
    // It was at hand when it was asked for.
    expect(known.refused, 'no refused token').toBe(false)
    expect(known.sentIn, 'none from before a refusal').toBeGreaterThan(this.refusedIn.get(of) ?? 0)
    expect(at, 'no expired token').toBeLessThan(known.usableUntil)
    this.atHand.set(of, token)
  }

  async run(next: Command): Promise<void> {
    await this.#apply(next)
    if (this.#violation !== undefined) throw this.#violation
  }

  async #apply(next: Command): Promise<void> {
    this.#step += 1
    switch (next.do) {
      case 'get':
        return this.#call(next.tenant)
      case 'abortable': {
        const controller = new AbortController()
        this.aborts.push(controller)
        return this.#call(next.tenant, controller.signal)
      }
      case 'peek': {
        const token = this.source.peek({ tenant: next.tenant })
        if (token !== undefined) this.#checkToken(token, next.tenant, this.#step, this.clock.monotonic())
        return
      }
      case 'force': {
        const asked = this.#step
        this.#supersede(next.tenant)
        void this.source.get({ context: { tenant: next.tenant }, forceRenewal: true }).then(
          // Whoever asks for another token has it instead, also if it will not live as long; unless a refusal came between.
          (token) => {
            const kept = asked > (this.refusedIn.get(next.tenant) ?? 0)
            if (kept && this.#isUsable(token, this.clock.monotonic())) this.atHand.set(next.tenant, token)
          },
          () => {},
        )
        return settle()
      }
      case 'refuse': {
        const token = this.atHand.get(next.tenant)
        if (token === undefined) return
        const known = this.issued.get(token.value)
        if (this.source.invalidate(token)) {
          this.#supersede(next.tenant)
          this.refusedIn.set(next.tenant, this.#step)
        }
        if (known !== undefined) known.refused = true
        this.atHand.delete(next.tenant)
        return
      }
      case 'answer': {
        const open = this.pending.filter(({ done }) => !done)
        open[next.which % Math.max(open.length, 1)]?.answer(next.answer)
        return settle()
      }
      case 'tick':
        return this.clock.advance(next.ms)
      case 'abort':
        this.aborts.shift()?.abort(new Error('gave up'))
        return settle()
      case 'rotate':
        this.secret += 1
    }
  }

  #supersede(of: Tenant): void {
    this.superseded.set(of, (this.superseded.get(of) ?? 0) + 1)
  }

  async end(): Promise<void> {
    await this.source.close()
    await settle()
    expect(this.waiting.size, 'nobody waits for ever').toBe(0)
    expect(this.clock.pendingTimers, 'no timer is left').toBe(0)
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await setImmediate()
}

it('whatever happens in which order: one request per key, no usable token lost, none expired, refused or of another key given', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 60 }), async (commands) => {
      const world = new World()
      for (const next of commands) await world.run(next)
      await world.end()
    }),
    { numRuns: 3000 },
  )
}, 120_000)
