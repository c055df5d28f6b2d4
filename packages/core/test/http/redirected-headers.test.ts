import { interceptors } from 'undici'
import { describe, expect, it } from 'vitest'
import { entryPoints, type Way } from './calls.ts'
import { agent, scripted, upstreamAt } from './support.ts'

// The option `headers` is for allowed origins alone, and may hold an API key.
describe("the headers of the upstream and of the call's context, when the API redirects to another origin", () => {
  it.each([
    ['fetch', 'none'],
    ['fetch', 'inside'],
    ['request', 'inside'],
    ['dispatcher.stream', 'inside'],
  ] as const)('stay behind, through %s, redirect interceptor %s', async (entry, position) => {
    const elsewhere = await scripted()
    const api = await scripted({ redirect: elsewhere.url })
    const redirect = interceptors.redirect({ maxRedirections: 3 })
    const upstream = upstreamAt(api.url, {
      headers: { 'X-Api-Key': 'k' },
      dispatcher: position === 'inside' ? agent().compose(redirect) : agent(),
    }).with({ headers: { 'x-tenant': 't' } })
    const way: Way = { origin: api.url, dispatcher: upstream.dispatcher, upstream }
    expect((await entryPoints[entry](way, '/', { headers: { accept: 'text/plain' } })).status).toBe(200)
    expect(api.requests[0]?.headers).toMatchObject({ 'x-api-key': 'k', 'x-tenant': 't' })
    const { headers } = elsewhere.requests[0] ?? expect.fail()
    expect([headers['x-api-key'], headers['x-tenant'], headers.accept]).toEqual([undefined, undefined, 'text/plain'])
  })
})
