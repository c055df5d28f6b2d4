import { createManualClock } from '@tokenwell/testing'
import { expect, it, onTestFinished } from 'vitest'
import { clientSecretBasic, createUpstream, createUpstreams } from '../src/index.ts'
import { fixedSource } from './http/support.ts'
import { rejection, tokenEndpoint } from './support.ts'

const baseUrl = 'https://api.example'

async function twoUpstreams() {
  const server = await tokenEndpoint()
  const clock = createManualClock()
  const oauth = { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s'), clock }
  const upstreams = createUpstreams({ billing: { baseUrl, oauth }, hr: { baseUrl, oauth } })
  onTestFinished(() => upstreams.close())
  return { server, clock, upstreams }
}

it('the health of several upstreams is that of each, and the worst of them for all', async () => {
  const { server, clock, upstreams } = await twoUpstreams()
  expect(upstreams.health()).toEqual({ status: 'ok', upstreams: { billing: { status: 'ok' }, hr: { status: 'ok' } } })
  await upstreams.hr.tokens.get()
  server.respondWith({ status: 400, body: { error: 'invalid_client' } })
  await rejection(upstreams.hr.tokens.get({ forceRenewal: true }))
  expect(upstreams.health()).toMatchObject({ status: 'degraded', upstreams: { hr: { status: 'degraded' } } })
  await rejection(upstreams.billing.tokens.get())
  expect(upstreams.health()).toMatchObject({
    status: 'down',
    upstreams: {
      billing: { status: 'down', error: { upstream: 'billing', error: 'invalid_client' } },
      hr: { status: 'degraded', error: { upstream: 'hr' } },
    },
  })
  expect(upstreams.billing.health().status).toBe('down')
  expect(upstreams.with({ tenant: 'a' }).billing.health().status).toBe('down')
  await clock.advance(60_000)
  server.respondWith({ body: { access_token: 't', token_type: 'Bearer', expires_in: 100 } })
  await upstreams.warmUp()
  expect(upstreams.hr.health().status).toBe('degraded')
  await upstreams.hr.tokens.get({ forceRenewal: true })
  expect(upstreams.health().status).toBe('ok')
})

it('it can be answered as it is: neither secrets nor causes are in its JSON', async () => {
  const { server, upstreams } = await twoUpstreams()
  server.respondWith({ status: 401, body: { error: 'invalid_client', error_description: 'inside' } })
  await rejection(upstreams.billing.tokens.get())
  const told = JSON.stringify(upstreams.health())
  expect(JSON.parse(told)).toMatchObject({ status: 'down', upstreams: { billing: { error: { statusCode: 502 } } } })
  expect(told).not.toMatch(/inside|127\.0\.0\.1|orders/)
})

it('an upstream that was closed is down', async () => {
  const { upstreams } = await twoUpstreams()
  await upstreams.close()
  expect(upstreams.health()).toMatchObject({ status: 'down', upstreams: { billing: { status: 'down' } } })
  expect(upstreams.hr.health()).toMatchObject({ error: { code: 'ERR_TOKENWELL_CLOSED', upstream: 'hr' } })
})

it('a token source of the user may tell its health, and counts as ok if it does not', async () => {
  const silent = createUpstream({ baseUrl, oauth: fixedSource() })
  const error = new Error('no agent')
  const telling = createUpstream({ baseUrl, oauth: { ...fixedSource(), health: () => ({ status: 'down', error }) } })
  onTestFinished(async () => void (await Promise.all([silent.close(), telling.close()])))
  expect(silent.health()).toEqual({ status: 'ok' })
  expect(telling.health()).toEqual({ status: 'down', error })
})

it('of no upstreams at all, it is ok', () => {
  expect(createUpstreams({}).health()).toEqual({ status: 'ok', upstreams: {} })
})
