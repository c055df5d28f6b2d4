import { createScriptedServer, tokenReply, type ScriptedServer } from '@tokenwell/testing'
import { Agent, getGlobalDispatcher, request, setGlobalDispatcher } from 'undici'
import { expect, it, onTestFinished } from 'vitest'
import { authorize, clientSecretBasic, createTokenSource, createUpstream } from '../../src/index.ts'
import { tokenEndpoint } from '../support.ts'

async function scripted(...reply: Parameters<typeof createScriptedServer>): Promise<ScriptedServer> {
  const server = await createScriptedServer(...reply)
  onTestFinished(() => server.close())
  return server
}

// regressions S30: RFC 9728 §5.1. What an API says of authorization servers is not asked for.
it('an API that names another authorization server gets no credentials sent there', async () => {
  const evil = await scripted({ body: { authorization_servers: ['https://evil.example'] } })
  const server = await tokenEndpoint((_request, index) => tokenReply({ accessToken: `token-${index}` }))
  const challenge = `Bearer error="invalid_token", resource_metadata="${evil.url}/.well-known/oauth-protected-resource"`
  const link = `<${evil.url}>; rel="authorization_server"`
  const api = await scripted({ status: 401, headers: { 'www-authenticate': challenge, link } })
  const oauth = { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s') }
  const upstream = createUpstream({ baseUrl: api.url, oauth })
  onTestFinished(() => upstream.close())
  expect((await upstream.fetch('/x')).status).toBe(401)
  expect([evil.connectionCount, server.requests.length, api.requests.length]).toEqual([0, 2, 2])
})

// regressions J48
it("nothing of a call reaches the authorization server: neither its headers, nor the upstream's, nor the context's", async () => {
  const server = await tokenEndpoint()
  const api = await scripted({ body: {} })
  const oauth = { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s') }
  const upstream = createUpstream({ baseUrl: api.url, oauth, headers: { 'x-api-key': 'k' } })
  onTestFinished(() => upstream.close())
  const bound = upstream.with({ headers: { traceparent: '00-1-2-01' }, subjectToken: 'of-the-caller' })
  await bound.fetch('/x', { headers: { cookie: 'session=1', 'x-request-id': 'r' } })
  const { headers, text } = server.requests[0] ?? expect.fail()
  for (const name of ['x-api-key', 'traceparent', 'cookie', 'x-request-id']) expect(headers[name]).toBeUndefined()
  expect(JSON.stringify(headers) + text).not.toContain('of-the-caller')
})

// regressions J50
it('an authorized dispatcher that is made global does not get in the way of its own token requests', async () => {
  const server = await tokenEndpoint()
  const before = getGlobalDispatcher()
  onTestFinished(() => setGlobalDispatcher(before))
  const source = createTokenSource({
    tokenEndpoint: server.url,
    clientId: 'orders',
    clientAuth: clientSecretBasic('s'),
  })
  // The token endpoint's own origin is among those that get the token, as when one host serves both.
  const dispatcher = new Agent().compose(authorize({ source, origins: [server.url] }))
  setGlobalDispatcher(dispatcher)
  onTestFinished(async () => void (await Promise.all([source.close(), dispatcher.close()])))
  await request(`${server.url}/api`)
  expect(server.requests.map(({ path, headers }) => [path, headers.authorization?.split(' ')[0]])).toEqual([
    ['/', 'Basic'],
    ['/api', 'Bearer'],
  ])
})
