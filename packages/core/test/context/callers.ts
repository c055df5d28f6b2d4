import { setImmediate } from 'node:timers/promises'
import { createManualClock, tokenReply, type ManualClock, type RecordedRequest } from '@tokenwell/testing'
import fc from 'fast-check'
import { expect } from 'vitest'
import { createUpstreams, TokenwellError, type CallContext, type UpstreamOptions } from '../../src/index.ts'
import { refusal, scripted, tokenOf } from '../http/support.ts'
import { tokenEndpoint } from '../support.ts'

const names = ['alice', 'bob', 'carol'] as const
type Name = (typeof names)[number]

type Command =
  | { readonly do: 'call'; readonly as: Name; readonly how: How; readonly abort: boolean }
  | { readonly do: 'revoke' | 'change'; readonly of: Name }
  | { readonly do: 'tick'; readonly ms: number }
  | { readonly do: 'pause'; readonly turns: number }

type How = 'run' | 'with' | 'with inside of another run' | 'run, later' | 'request'

const anyName = fc.constantFrom(...names)
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('call' as const),
      as: anyName,
      how: fc.constantFrom<How>('run', 'with', 'with inside of another run', 'run, later', 'request'),
      abort: fc.integer({ min: 0, max: 5 }).map((draw) => draw === 0),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('revoke' as const, 'change' as const), of: anyName }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('tick' as const), ms: fc.constantFrom(300, 7000, 50_000) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pause' as const), turns: fc.integer({ min: 1, max: 12 }) }) },
)

/** What the authorization server does with one token request, and how long it takes. */
const answer = fc.record({
  turns: fc.integer({ min: 0, max: 10 }),
  refuse: fc.integer({ min: 0, max: 7 }).map((draw) => draw === 0),
})

/** How callers are told from each other. */
export interface Callers {
  oauth(tokenEndpoint: string, clock: ManualClock): UpstreamOptions['oauth']
  /** `version` changes whenever the caller comes with another token. */
  contextOf(name: string, version: number): CallContext
  /** For whom a token is asked for. */
  nameIn(request: RecordedRequest): string
}

/**
 * Whatever callers do in which order, through one upstream, in contexts that interleave: each call goes with its own caller's token,
 * and none with one that is known to be refused if another can be had.
 */
export async function expectEachItsOwn(callers: Callers, numRuns: number): Promise<void> {
  let answers: Iterator<{ turns: number; refuse: boolean }> = [][Symbol.iterator]()
  let violations: string[] = []
  let issued = 0
  const tally = { answered: 0, refusedTokens: 0, replays: 0, aborted: 0, failed: 0 }
  const revoked = new Set<string>()
  const current = new Map<string, Set<string>>()

  const server = await tokenEndpoint(async (request) => {
    const { turns, refuse } = answers.next().value ?? { turns: 0, refuse: false }
    await turnsOf(turns)
    if (refuse) return { status: 400, body: { error: 'invalid_grant' } }
    const name = callers.nameIn(request)
    const accessToken = `${name}.${(issued += 1)}`
    current.set(name, (current.get(name) ?? new Set()).add(accessToken))
    return tokenReply({ accessToken, expiresIn: 60 })
  })
  const api = await scripted(async (request, index) => {
    const caller = String(request.headers['x-caller'])
    const token = tokenOf(request) ?? 'none'
    if (!token.startsWith(`${caller}.`)) violations.push(`${caller} came with ${token}`)
    await turnsOf(index % 4)
    if (!revoked.has(token)) return { body: { caller } }
    tally.refusedTokens += 1
    return refusal
  })

  async function run(commands: readonly Command[]): Promise<void> {
    violations = []
    const clock = createManualClock()
    const oauth = callers.oauth(server.url, clock)
    const upstreams = createUpstreams({ api: { baseUrl: api.url, oauth, retry: false } })
    const versions = new Map<string, number>()
    const waiting: Promise<void>[] = []

    const start = ({ as, how }: { as: Name; how: How }, signal: AbortSignal | undefined) => {
      const context = callers.contextOf(as, versions.get(as) ?? 0)
      const other = callers.contextOf(names[(names.indexOf(as) + 1) % names.length] ?? as, 0)
      const init = { headers: { 'x-caller': as }, ...(signal === undefined ? {} : { signal }) }
      const fetched = async () => {
        const response = await upstreams.api.fetch('/', init)
        return { status: response.status, body: await response.json() }
      }
      switch (how) {
        case 'run':
          return upstreams.run(context, fetched)
        case 'run, later':
          return upstreams.run(context, async () => {
            await turnsOf(3)
            return fetched()
          })
        case 'request':
          return upstreams.run(context, async () => {
            const { statusCode, body } = await upstreams.api.request('/', init)
            return { status: statusCode, body: await body.json() }
          })
        default: {
          const call = async () => {
            const response = await upstreams.with(context).api.fetch('/', init)
            return { status: response.status, body: await response.json() }
          }
          return how === 'with' ? call() : upstreams.run(other, call)
        }
      }
    }

    const call = async (next: Extract<Command, { do: 'call' }>) => {
      const controller = next.abort ? new AbortController() : undefined
      const reason = new Error('gave up')
      const under = start(next, controller?.signal)
      if (controller !== undefined) void turnsOf(4).then(() => controller.abort(reason))
      try {
        const { status, body } = await under
        tally.answered += 1
        if (status === 200 && (body as { caller: string }).caller !== next.as)
          violations.push(`${next.as} got ${JSON.stringify(body)}`)
      } catch (error) {
        if (error === reason) tally.aborted += 1
        else if (error instanceof TokenwellError) tally.failed += 1
        else violations.push(`${next.as} failed with ${String(error)}`)
      }
    }

    for (const next of commands) {
      if (next.do === 'call') waiting.push(call(next))
      if (next.do === 'pause') await turnsOf(next.turns)
      if (next.do === 'tick') await clock.advance(next.ms)
      if (next.do === 'change') versions.set(next.of, (versions.get(next.of) ?? 0) + 1)
      if (next.do === 'revoke') for (const token of current.get(next.of) ?? []) revoked.add(token)
    }
    await Promise.all(waiting)
    await upstreams.close()
    await upstreams.api.tokens.close()
    expect(violations).toEqual([])
    expect(clock.pendingTimers, 'no timer is left').toBe(0)
  }

  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { minLength: 10, maxLength: 60 }),
      fc.array(answer, { maxLength: 20 }),
      async (commands, given) => {
        answers = given[Symbol.iterator]()
        await run(commands)
      },
    ),
    { numRuns },
  )
  // It would hold of calls that never come through, or are never refused.
  expect(tally.answered).toBeGreaterThan(numRuns)
  expect(tally.refusedTokens).toBeGreaterThan(numRuns / 10)
  expect(tally.aborted).toBeGreaterThan(0)
  expect(tally.failed).toBeGreaterThan(0)
}

async function turnsOf(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await setImmediate()
}
