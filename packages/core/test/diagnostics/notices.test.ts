import { createManualClock, tokenReply } from '@tokenwell/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Notices } from '../../src/diagnostics/notices.ts'
import {
  clientSecretBasic,
  clientSecretPost,
  createUpstreams,
  tokenExchange,
  type Log,
  type OAuthOptions,
  type TokenCache,
} from '../../src/index.ts'
import { createRealm, scripted } from '../http/support.ts'
import { driven, rejection, tokenEndpoint } from '../support.ts'
import { Listening } from './listening.ts'

type Line = readonly [level: string, fields: Record<string, unknown>, message: string | undefined]

class Lines implements Log {
  readonly lines: Line[] = []
  readonly debug = this.#at('debug')
  readonly info = this.#at('info')
  readonly warn = this.#at('warn')
  readonly error = this.#at('error')

  get levels(): string[] {
    return this.lines.map(([level]) => level)
  }

  #at(level: string) {
    return (fields: object, message?: string) =>
      void this.lines.push([level, fields as Record<string, unknown>, message])
  }
}

const invalidClient = { status: 401, body: { error: 'invalid_client', error_description: 'the words of a server' } }

/** One upstream of a token endpoint that does as it is told; `configured` is its own log. */
async function world(oauth: Partial<OAuthOptions> = {}, configured: Log | 'none' = new Lines()) {
  const state: { reply: () => object } = { reply: tokenReply }
  const server = await tokenEndpoint(() => state.reply())
  const api = await scripted()
  const clock = createManualClock()
  const own = {
    tokenEndpoint: server.url,
    clientId: 'orders',
    clientAuth: clientSecretBasic('s3cret'),
    clock,
    ...oauth,
  }
  const upstreams = createUpstreams(
    { billing: { baseUrl: api.url, oauth: own } },
    { log: configured === 'none' ? undefined : configured },
  )
  onTestFinished(() => upstreams.close())
  const { tokens } = upstreams.billing
  return { state, server, clock, upstreams, tokens, log: configured as Lines }
}

describe('what an operator reads', () => {
  it('nothing while all is well', async () => {
    const { log, tokens, clock } = await world()
    await tokens.get()
    await clock.advance(3_000_000)
    await tokens.get()
    await tokens.get({ forceRenewal: true })
    expect(log.lines).toEqual([])
  })

  it('one line for a refused credential, however many calls, and one when it is accepted again', async () => {
    const { log, tokens, clock, state } = await world()
    state.reply = () => invalidClient
    await Promise.all(Array.from({ length: 10 }, () => rejection(tokens.get())))
    for (let index = 0; index < 5; index++) {
      await clock.advance(60_000)
      await rejection(tokens.get())
    }
    expect(log.levels).toEqual(['error'])
    const [, fields, message] = log.lines[0] ?? expect.fail()
    expect(fields).toEqual({
      upstream: 'billing',
      tenant: undefined,
      code: 'ERR_TOKENWELL_TOKEN_REQUEST',
      errorType: 'invalid_client',
      reason: undefined,
      retryAt: undefined,
      usableMs: 0,
    })
    expect(message).toMatch(
      /refuses this service's credential \(invalid_client\): check oauth\.clientId .* There is no token/,
    )
    state.reply = tokenReply
    await clock.advance(60_000)
    await tokens.get()
    expect(log.levels).toEqual(['error', 'info'])
    expect(log.lines[1]?.slice(1)).toEqual([
      { upstream: 'billing', tenant: undefined },
      'The authorization server gives tokens again.',
    ])
  })

  it('another line after each hour that it lasts', async () => {
    const { log, tokens, clock, state } = await world()
    state.reply = () => invalidClient
    for (let minutes = 0; minutes < 150; minutes++) {
      await rejection(tokens.get())
      await clock.advance(60_000)
    }
    expect(log.levels).toEqual(['error', 'error', 'error'])
  })

  it('an authorization server that is down matters once the token at hand is about to end', async () => {
    const { log, tokens, clock, state } = await world({ renewal: { jitter: 0 } })
    state.reply = () => tokenReply({ expiresIn: 3600 })
    await tokens.get()
    state.reply = () => ({ reset: true })
    const listening = new Listening()
    const call = async () => {
      const before = listening.of('tokenwell:token.renewal').length
      await tokens.get()
      await vi.waitFor(() => expect(listening.of('tokenwell:token.renewal').length).toBe(before + 1))
    }
    await clock.advance(2_900_000)
    await call()
    await clock.advance(120_000)
    await call()
    expect(log.lines).toEqual([])
    await clock.advance(400_000)
    await call()
    expect(log.levels).toEqual(['warn'])
    const [, fields, message] = log.lines[0] ?? expect.fail()
    expect(fields).toMatchObject({ errorType: 'ERR_TOKENWELL_TOKEN_ENDPOINT_UNREACHABLE', upstream: 'billing' })
    expect(fields['reason']).toMatch(/^(?:ECONNRESET|UND_ERR_SOCKET)$/)
    expect(fields['usableMs']).toBeGreaterThan(0)
    expect(message).toMatch(
      /check its health, and this service's way to it .* Calls go on with the token at hand for another \d+ s\./,
    )
  })

  it('and at once when there is no token', async () => {
    const { log, tokens, clock, state } = await world()
    state.reply = () => ({ status: 503 })
    await rejection(driven(clock, tokens.get()))
    expect(log.levels).toEqual(['error'])
    expect(log.lines[0]?.[2]).toContain('There is no token: calls fail.')
  })

  it.each<[string, Partial<OAuthOptions>, object, RegExp]>([
    [
      'a scope',
      {},
      { status: 400, body: { error: 'invalid_scope' } },
      /what this service asks for \(invalid_scope\): check scope/,
    ],
    ['a kind of token', { dpop: true }, tokenReply(), /no token that can be used: check oauth\.dpop/],
    [
      'a secret that cannot be read',
      { clientAuth: clientSecretPost(() => Promise.reject(new Error('no'))) },
      {},
      /cannot be read or used: check the file, function or key/,
    ],
    [
      'metadata',
      { issuer: 'x', tokenEndpoint: undefined },
      { body: { issuer: 'https://other.example' } },
      /metadata cannot be used: check oauth\.issuer/,
    ],
  ])('%s that is wrong', async (_name, oauth, reply, expected) => {
    const { state, upstreams, log, server } = await world(oauth.issuer === undefined ? oauth : {})
    state.reply = () => reply
    if (oauth.issuer === undefined) await rejection(upstreams.billing.tokens.get())
    else {
      const own = { issuer: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s') }
      await using discovering = createUpstreams({ billing: { baseUrl: server.url, oauth: own } }, { log })
      await rejection(discovering.billing.tokens.get())
    }
    expect(log.levels).toEqual(['error'])
    expect(log.lines[0]?.[2]).toMatch(expected)
  })

  it("nothing of what is refused to one caller's token alone", async () => {
    const grant = tokenExchange({
      subjectToken: (context) => context.subjectToken ?? '',
      subjectTokenType: 'urn:ietf:params:oauth:token-type:access_token',
    })
    const { log, tokens, state } = await world({ grant })
    state.reply = () => ({ status: 400, body: { error: 'invalid_request' } })
    await rejection(tokens.get({ context: { subjectToken: 'expired' } }))
    expect(log.lines).toEqual([])
  })

  it('an API that refuses even the newest token', async () => {
    const realm = await createRealm()
    for (let index = 0; index < 9; index++) realm.revoked.add(`token-${index}`)
    const log = new Lines()
    const upstreams = createUpstreams({ billing: { baseUrl: realm.api.url, oauth: realm.oauth } }, { log })
    onTestFinished(() => upstreams.close())
    const call = async () => (await upstreams.billing.request('/')).body.dump()
    for (let index = 0; index < 4; index++) await call()
    expect(log.levels).toEqual(['error'])
    expect(log.lines[0]?.[2]).toMatch(/^The API refuses tokens .* check that audience/)
    realm.revoked.clear()
    await call()
    expect(log.levels).toEqual(['error', 'info'])
  })

  it('a shared cache that does not answer', async () => {
    let fails = true
    const get = async () => {
      if (fails) throw new Error('the words of a cache')
      return undefined
    }
    const cache: TokenCache = { get, set: async () => {}, delete: async () => false }
    const { log, tokens, clock } = await world({ cache })
    await driven(clock, tokens.get())
    fails = false
    tokens.invalidate(tokens.peek() ?? expect.fail())
    await driven(clock, tokens.get())
    expect(log.levels.slice(0, 2)).toEqual(['warn', 'info'])
    expect(log.lines[0]?.[1]).toEqual({ upstream: 'billing', operation: 'get' })
    expect(log.lines[0]?.[2]).toMatch(/^The shared token cache does not answer: check it/)
  })
})

describe('where it is written', () => {
  it("to the log of the first call's context that has one, where the upstream has none", async () => {
    const { upstreams, tokens, state } = await world({}, 'none')
    state.reply = () => invalidClient
    await rejection(tokens.get())
    const [first, second] = [new Lines(), new Lines()]
    for (const log of [first, second]) await rejection(upstreams.with({ log }).billing.fetch('/'))
    expect([first.levels, second.levels]).toEqual([['error'], []])
  })

  it("to the upstream's alone, where it has one", async () => {
    const { upstreams, state, log } = await world()
    state.reply = () => invalidClient
    const own = new Lines()
    await rejection(upstreams.with({ log: own }).billing.fetch('/'))
    expect([log.levels, own.levels]).toEqual([['error'], []])
  })

  it('a log that throws fails no call in another way', async () => {
    const log = new Lines()
    Object.assign(log, {
      error: () => {
        throw new Error('disk full')
      },
    })
    const { tokens, state } = await world({}, log)
    state.reply = () => invalidClient
    expect(await rejection(tokens.get())).toMatchObject({ error: 'invalid_client' })
  })

  // regressions S42, J59
  it('and never a secret, a token or the words of a server', async () => {
    const { log, tokens, state } = await world()
    state.reply = () => ({
      status: 401,
      body: { error: 'invalid_client', error_description: 'you said s3cret', error_uri: 'https://x.example/s3cret' },
    })
    await rejection(tokens.get())
    expect(log.lines).toHaveLength(1)
    expect(JSON.stringify(log.lines)).not.toContain('s3cret')
  })
})

it('what comes and goes within a minute is one line', async () => {
  const clock = createManualClock()
  const log = new Lines()
  const notices = new Notices(clock, log)
  const notice = { level: 'warn', fields: {}, message: 'trouble' } as const
  for (let index = 0; index < 30; index++) {
    notices.raise('cache', notice)
    notices.settle('cache', {}, 'fine')
    await clock.advance(1000)
  }
  expect(log.levels).toEqual(['warn', 'info'])
  await clock.advance(60_000)
  notices.raise('cache', notice)
  expect(log.levels).toEqual(['warn', 'info', 'warn'])
})
