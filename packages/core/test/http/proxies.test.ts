import { tokenReply } from '@tokenwell/testing'
import { EnvHttpProxyAgent, ProxyAgent } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { clientSecretBasic } from '../../src/index.ts'
import { certificate } from './certificate.ts'
import { createProxy, type Proxy } from './proxy.ts'
import { serve, type BareServer } from './serve.ts'
import { authorizationsOf, closing, createRealm, upstreamAt } from './support.ts'

async function proxy(): Promise<Proxy> {
  const started = await createProxy()
  onTestFinished(() => started.close())
  return started
}

/** A TLS server that answers each request, and the Authorization of each. */
async function secure(answer: object): Promise<BareServer & { seen: (string | undefined)[] }> {
  const seen: (string | undefined)[] = []
  const server = await serve(
    ({ headers }, response) => {
      seen.push(headers.authorization)
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    },
    { tls: true },
  )
  onTestFinished(() => server.close())
  return Object.assign(server, { seen })
}

// regressions J55
describe('a proxy', () => {
  const kinds = {
    'a ProxyAgent': (uri: string) => closing(new ProxyAgent(uri)),
    'an EnvHttpProxyAgent': (httpProxy: string) => closing(new EnvHttpProxyAgent({ httpProxy, noProxy: '' })),
  }

  it.each(Object.entries(kinds))('for the API alone, by %s: token requests go their own way', async (_name, make) => {
    const { api, server, oauth } = await createRealm()
    const between = await proxy()
    expect((await upstreamAt(api.url, { oauth, dispatcher: make(between.url) }).request('/x')).statusCode).toBe(200)
    expect(between.requests.map(({ target }) => target)).toEqual([`${api.url}/x`])
    expect([api.requests.length, server.requests.length]).toEqual([1, 1])
  })

  it.each(Object.entries(kinds))(
    'for the authorization server alone, by %s: calls go their own way',
    async (_name, make) => {
      const { api, server, oauth } = await createRealm()
      const between = await proxy()
      const upstream = upstreamAt(api.url, { oauth: { ...oauth, dispatcher: make(between.url) } })
      expect((await upstream.request('/x')).statusCode).toBe(200)
      expect(between.requests.map(({ target }) => target)).toEqual([`${server.url}/`])
      expect([api.requests.length, server.requests.length]).toEqual([1, 1])
    },
  )

  it('for each of them another', async () => {
    const { api, server, oauth } = await createRealm()
    const [forApi, forServer] = [await proxy(), await proxy()]
    const dispatcher = closing(new ProxyAgent(forServer.url))
    const upstream = upstreamAt(api.url, {
      oauth: { ...oauth, dispatcher },
      dispatcher: closing(new ProxyAgent({ uri: forApi.url, proxyTunnel: true })),
    })
    expect((await upstream.fetch('/x')).status).toBe(200)
    expect(forApi.requests).toMatchObject([{ method: 'CONNECT', target: new URL(api.url).host }])
    expect(forServer.requests).toMatchObject([{ method: 'POST', target: `${server.url}/` }])
  })

  it('that noProxy names the API for is not used', async () => {
    const { api, oauth } = await createRealm()
    const between = await proxy()
    const dispatcher = closing(new EnvHttpProxyAgent({ httpProxy: between.url, noProxy: new URL(api.url).host }))
    await upstreamAt(api.url, { oauth, dispatcher }).request('/x')
    expect(between.requests).toEqual([])
    expect(api.requests.map(authorizationsOf)).toEqual([['Bearer token-0']])
  })

  it('gets its own credentials, which the API never sees, and the API gets the token', async () => {
    const { api, oauth } = await createRealm()
    const between = await proxy()
    const dispatcher = closing(new ProxyAgent({ uri: between.url, token: 'Basic cHJveHk=', proxyTunnel: true }))
    await upstreamAt(api.url, { oauth, dispatcher }).request('/x')
    expect(between.requests[0]?.headers).toMatchObject({ 'proxy-authorization': 'Basic cHJveHk=' })
    expect(between.requests[0]?.headers).not.toHaveProperty('authorization')
    expect(api.requests[0]?.headers).not.toHaveProperty('proxy-authorization')
    expect(api.requests.map(authorizationsOf)).toEqual([['Bearer token-0']])
  })

  it('sees neither token nor secret of what goes over TLS', async () => {
    const between = await proxy()
    const api = await secure({ ok: true })
    const server = await secure(tokenReply({ accessToken: 'abc' }).body as object)
    const dispatcher = closing(new ProxyAgent({ uri: between.url, requestTls: { ca: certificate.cert } }))
    const upstream = upstreamAt(api.url, {
      dispatcher,
      oauth: {
        tokenEndpoint: `${server.url}/token`,
        clientId: 'orders',
        clientAuth: clientSecretBasic('s3cret'),
        dispatcher,
      },
    })
    expect((await upstream.request('/x')).statusCode).toBe(200)
    expect(api.seen).toEqual(['Bearer abc'])
    expect(server.seen).toEqual([expect.stringMatching(/^Basic /)])
    expect(between.requests.map(({ method }) => method)).toEqual(['CONNECT', 'CONNECT'])
    expect(JSON.stringify(between.requests)).not.toMatch(/authorization/i)
  })

  it('that refuses the tunnel fails the call before anything is sent to the API', async () => {
    const { api, oauth } = await createRealm()
    const closed = await createProxy()
    await closed.close()
    const upstream = upstreamAt(api.url, {
      oauth,
      dispatcher: closing(new ProxyAgent({ uri: closed.url, proxyTunnel: true })),
    })
    await expect(upstream.request('/x')).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
    expect(api.connectionCount).toBe(0)
  })
})
