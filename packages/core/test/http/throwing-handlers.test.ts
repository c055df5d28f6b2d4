import { tokenReply } from '@tokenwell/testing'
import { interceptors, MockAgent, type Dispatcher } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { clientSecretBasic, type Upstream } from '../../src/index.ts'
import { tokenEndpoint } from '../support.ts'
import { refusal, scripted, upstreamAt } from './support.ts'

/** An API that refuses the only token there is: its 401 is held until that is known, then given as it came. */
async function refused(dispatcher?: Dispatcher): Promise<{ upstream: Upstream; origin: string }> {
  const server = await tokenEndpoint()
  server.respondWith(tokenReply(), { status: 400, body: { error: 'invalid_client' } })
  const api = await scripted(refusal)
  const oauth = { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s3cret') }
  return { upstream: upstreamAt(api.url, { oauth, dispatcher }), origin: api.url }
}

// By then nobody up the stack is left to catch what a handler throws, as undici does for an answer that it has just read.
describe(
  'a 401 that stands, given to a handler that throws, fails the call and nothing else',
  { timeout: 5_000 },
  () => {
    const mine = new Error('I wanted a 200')

    it('the factory of a stream', async () => {
      const { upstream, origin } = await refused()
      const streaming = upstream.dispatcher.stream({ origin, path: '/', method: 'GET' }, () => {
        throw mine
      })
      await expect(streaming).rejects.toBe(mine)
    })

    it('undici itself, which dumps no more than so much', async () => {
      const { upstream, origin } = await refused()
      const dispatcher = upstream.dispatcher.compose(interceptors.dump({ maxSize: 3 }))
      await expect(dispatcher.request({ origin, path: '/', method: 'GET' })).rejects.toThrow(/larger than maxSize/)
    })

    it('undici itself, which throws at the end of an answer in order to retry', async () => {
      const mock = new MockAgent()
      onTestFinished(() => mock.close())
      mock.disableNetConnect()
      const pool = mock.get('https://api.example')
      // Its answers are whole at once, so their end comes while they are held.
      const { status, headers } = refusal
      pool.intercept({ path: '/' }).reply(status, 'no', { headers }).times(2)
      pool.intercept({ path: '/' }).reply(200, 'yes')
      const server = await tokenEndpoint()
      const oauth = { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s3cret') }
      const upstream = upstreamAt('https://api.example', { oauth, dispatcher: mock })
      const dispatcher = upstream.dispatcher.compose(interceptors.retry({ statusCodes: [401], minTimeout: 1 }))
      const { statusCode, body } = await dispatcher.request({ origin: 'https://api.example', path: '/', method: 'GET' })
      expect([statusCode, await body.text()]).toEqual([200, 'yes'])
    })
  },
)
