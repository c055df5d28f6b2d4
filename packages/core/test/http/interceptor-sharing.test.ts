import { tokenReply, type ScriptedServer, type StaticReply } from '@tokenwell/testing'
import { interceptors, type Dispatcher } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { clientCredentials, clientSecretBasic, createUpstreams } from '../../src/index.ts'
import { tokenEndpoint } from '../support.ts'
import { agent, scripted, tokenOf } from './support.ts'

interface Tenants {
  readonly api: ScriptedServer
  /** A call in the name of a tenant, or of none: whose answer it got. */
  readonly callAs: (tenant: string | undefined) => Promise<string>
}

/** An API that answers each tenant with the tenant's own token, and an interceptor inside or outside of ours. */
async function tenants(
  position: 'inside' | 'outside',
  interceptor: Dispatcher.DispatcherComposeInterceptor,
  headers: Record<string, string> = {},
  answer: (token: string) => StaticReply | Promise<StaticReply> = (token) => ({ headers, body: token }),
): Promise<Tenants> {
  const server = await tokenEndpoint(({ form }) => tokenReply({ accessToken: `of-${form.get('tenant')}` }))
  const api = await scripted((request) => answer(tokenOf(request) ?? ''))
  const upstreams = createUpstreams({
    billing: {
      baseUrl: api.url,
      dispatcher: position === 'inside' ? agent().compose(interceptor) : undefined,
      oauth: {
        tokenEndpoint: server.url,
        clientId: 'orders',
        clientAuth: clientSecretBasic('s3cret'),
        grant: clientCredentials({ parameters: ({ tenant }) => ({ tenant: tenant ?? 'none' }) }),
      },
    },
  })
  onTestFinished(() => upstreams.close())
  const { dispatcher } = upstreams.billing
  const called = position === 'inside' ? dispatcher : dispatcher.compose(interceptor)
  const callAs = (tenant: string | undefined) =>
    upstreams.run(tenant === undefined ? {} : { tenant }, async () => {
      const { body } = await called.request({ origin: api.url, path: '/', method: 'GET' })
      return body.text()
    })
  return { api, callAs }
}

const inTurn = async ({ callAs }: Tenants): Promise<string[]> => [await callAs('a'), await callAs('b')]

const apart = ['of-a', 'of-b']
// Somebody else's answer.
const shared = ['of-a', 'of-a']

// regressions S7
it('each tenant is answered in its own name, whoever called before', async () => {
  const { callAs } = await tenants('inside', (dispatch) => (options, handler) => dispatch(options, handler))
  const answers: string[] = []
  for (const tenant of [undefined, 'a', 'b', 'a', undefined]) answers.push(await callAs(tenant))
  expect(answers).toEqual(['of-none', 'of-a', 'of-b', 'of-a', 'of-none'])
})

// regressions J51
describe('an answer that undici keeps', () => {
  const forAll = 'public, max-age=60'
  it.each([
    // RFC 9111 §3.5: what was asked for with a token is kept only if the answer says so.
    ['inside', 'shared', { 'cache-control': 'max-age=60' }, apart],
    ['inside', 'shared', { 'cache-control': 'private, max-age=60' }, apart],
    ['inside', 'shared', { 'cache-control': 'no-store' }, apart],
    ['inside', 'shared', { 'cache-control': forAll, vary: 'authorization' }, apart],
    ['inside', 'shared', { 'cache-control': forAll }, shared],
    ['inside', 'shared', { 'cache-control': 's-maxage=60' }, shared],
    ['inside', 'shared', { 'cache-control': 'must-revalidate, max-age=60' }, shared],
    ['inside', 'private', { 'cache-control': 'private, max-age=60' }, apart],
    // A cache that is told it has one user.
    ['inside', 'private', { 'cache-control': 'private, must-revalidate, max-age=60' }, shared],
    // Outside of ours there is no token yet, so all who call are one.
    ['outside', 'shared', { 'cache-control': 'max-age=60' }, shared],
    ['outside', 'private', { 'cache-control': 'private, max-age=60' }, shared],
    ['outside', 'shared', { 'cache-control': forAll, vary: 'authorization' }, shared],
    ['outside', 'shared', { 'cache-control': 'private, max-age=60' }, apart],
    ['outside', 'shared', { 'cache-control': 'no-store' }, apart],
  ] as const)('by cache %s of ours, of type %s, with %o, is given as %j', async (position, type, headers, given) => {
    expect(await inTurn(await tenants(position, interceptors.cache({ type }), headers))).toEqual(given)
  })

  it('is given to the same token again, inside of ours', async () => {
    const here = await tenants('inside', interceptors.cache(), { 'cache-control': forAll, vary: 'authorization' })
    expect([await here.callAs('a'), await here.callAs('b'), await here.callAs('a')]).toEqual(['of-a', 'of-b', 'of-a'])
    expect(here.api.requests).toHaveLength(2)
  })
})

// regressions J51
describe('calls at the same time, deduplicated', () => {
  it.each([
    ['inside', apart],
    ['outside', shared],
  ] as const)('%s of ours, are answered as %j', async (position, given) => {
    const answered = Promise.withResolvers<void>()
    const here = await tenants(position, interceptors.deduplicate(), {}, async (token) => {
      await answered.promise
      return { body: token }
    })
    const both = [here.callAs('a'), here.callAs('b')]
    await expect.poll(() => here.api.requests.length).toBe(new Set(given).size)
    answered.resolve()
    expect(await Promise.all(both)).toEqual(given)
  })

  it('inside of ours, are one request if they have the same token', async () => {
    const answered = Promise.withResolvers<void>()
    const here = await tenants('inside', interceptors.deduplicate(), {}, async (token) => {
      await answered.promise
      return { body: token }
    })
    const both = [here.callAs('a'), here.callAs('a')]
    await expect.poll(() => here.api.requests.length).toBe(1)
    answered.resolve()
    expect(await Promise.all(both)).toEqual(['of-a', 'of-a'])
    expect(here.api.requests).toHaveLength(1)
  })
})
