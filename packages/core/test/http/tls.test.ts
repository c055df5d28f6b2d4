import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { entryPoints } from './calls.ts'
import { certificate } from './certificate.ts'
import { place, positions } from './positions.ts'
import { serve } from './serve.ts'
import { agent, createRealm, refusal, upstreamAt, warmSource } from './support.ts'

const trusting = { connect: { ca: certificate.cert } }

it('a server whose certificate is not trusted gets no token', async () => {
  const seen: unknown[] = []
  await using api = await serve(({ headers }, response) => void (seen.push(headers.authorization), response.end()), {
    tls: true,
  })
  await expect(upstreamAt(api.url, { dispatcher: agent() }).request('/')).rejects.toMatchObject({
    statusCode: 502,
    cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
  })
  expect(api.connectionCount).toBe(1)
  expect(seen).toEqual([])
  const { statusCode } = await upstreamAt(api.url, { dispatcher: agent(trusting) }).request('/')
  expect(statusCode).toBe(200)
  expect(seen).toEqual(['Bearer fixed-token'])
})

it.each(positions.filter((position) => position !== 'outside'))(
  'HTTP/2: calls carry the token, and one that is refused is replaced, %s',
  async (position) => {
    for (const [entry, call] of Object.entries(entryPoints)) {
      if (entry === 'dispatcher.pipeline') continue
      const seen: unknown[] = []
      const server = createSecureServer(certificate, ({ httpVersion, headers: { authorization } }, response) => {
        seen.push([httpVersion, authorization])
        if (authorization === 'Bearer token-1') response.end('{}')
        else response.writeHead(401, { 'www-authenticate': refusal.headers['www-authenticate'] }).end()
      })
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
      onTestFinished(() => void server.close())
      const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
      const source = await warmSource(await createRealm())
      const { status } = await call(
        place(position, { interceptor: undefined, source, origin, agentOptions: trusting }),
        '/',
      )
      const twice = [
        ['2.0', 'Bearer token-0'],
        ['2.0', 'Bearer token-1'],
      ]
      expect({ entry, status, seen }).toEqual({ entry, status: 200, seen: twice })
    }
  },
)
