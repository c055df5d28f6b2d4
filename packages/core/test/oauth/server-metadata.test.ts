import { createScriptedServer, tokenReply, type Reply, type ScriptedServer } from '@tokenwell/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  clientSecretBasic,
  createTokenSource,
  ServerMetadataError,
  type OAuthOptions,
  type TokenSource,
} from '../../src/index.ts'
import { rejection } from '../support.ts'

const wellKnown = '/.well-known/oauth-authorization-server'
const json = { 'content-type': 'application/json' }

interface Scripted {
  readonly server: ScriptedServer
  readonly source: TokenSource
}

/** An authorization server whose metadata is scripted by path; any other path is the token endpoint. */
async function withMetadata(
  replies: (url: string) => Record<string, Reply>,
  options: (url: string) => Partial<OAuthOptions> = (url) => ({ issuer: url }),
): Promise<Scripted> {
  const server = await createScriptedServer(async (request, index) => {
    const reply =
      replies(server.url)[request.path] ?? (request.path.includes('well-known') ? { status: 404 } : tokenReply())
    return typeof reply === 'function' ? reply(request, index) : reply
  })
  const source = createTokenSource({
    clientId: 'orders',
    clientAuth: clientSecretBasic('s3cret'),
    ...options(server.url),
  })
  onTestFinished(() => server.close())
  onTestFinished(() => source.close())
  return { server, source }
}

const paths = ({ requests }: ScriptedServer) => requests.map(({ path }) => path)

describe('server metadata', () => {
  it('is looked for where RFC 8414 puts it, with the path of the issuer inserted', async () => {
    const { server, source } = await withMetadata(
      (url) => ({ [`${wellKnown}/tenant`]: { body: { issuer: `${url}/tenant`, token_endpoint: `${url}/t/token` } } }),
      (url) => ({ issuer: `${url}/tenant` }),
    )
    await source.get()
    expect(paths(server)).toEqual([`${wellKnown}/tenant`, '/t/token'])
  })

  it('is looked for where OpenID Connect puts it when the first place has none', async () => {
    const { server, source } = await withMetadata(
      (url) => ({
        '/tenant/.well-known/openid-configuration': {
          body: { issuer: `${url}/tenant`, token_endpoint: `${url}/token` },
        },
      }),
      (url) => ({ issuer: `${url}/tenant` }),
    )
    await source.get()
    expect(paths(server)).toEqual([`${wellKnown}/tenant`, '/tenant/.well-known/openid-configuration', '/token'])
  })

  it('is taken from metadataUrl alone, with the issuer that it states', async () => {
    const { server, source } = await withMetadata(
      (url) => ({
        '/domain/.well-known/openid-configuration': {
          body: { issuer: 'https://identity.oraclecloud.com/', token_endpoint: `${url}/token` },
        },
      }),
      (url) => ({
        issuer: 'https://identity.oraclecloud.com/',
        metadataUrl: `${url}/domain/.well-known/openid-configuration`,
      }),
    )
    await source.get()
    expect(paths(server)).toEqual(['/domain/.well-known/openid-configuration', '/token'])
  })

  it('is fetched once for many waiters of different scopes, and kept', async () => {
    const { server, source } = await withMetadata((url) => ({
      [wellKnown]: { body: { issuer: url, token_endpoint: `${url}/token` }, delayMs: 5 },
    }))
    await Promise.all(Array.from({ length: 20 }, () => source.get()))
    await source.get({ forceRenewal: true })
    expect(paths(server)).toEqual([wellKnown, '/token', '/token'])
  })

  // regressions J38, S30
  it.each<[string, (url: string) => object]>([
    ['another host', () => ({ issuer: 'https://evil.example' })],
    ['a trailing slash more', (url) => ({ issuer: `${url}/` })],
    ['other case', (url) => ({ issuer: url.toUpperCase() })],
  ])('of another issuer (%s) is refused, and both are named with what to set', async (_name, stated) => {
    const { server, source } = await withMetadata((url) => ({
      [wellKnown]: { body: { token_endpoint: `${url}/token`, ...stated(url) } },
    }))
    const error = await rejection(source.get())
    expect(error).toBeInstanceOf(ServerMetadataError)
    expect(error).toMatchObject({ code: 'ERR_TOKENWELL_SERVER_METADATA', statusCode: 502 })
    const { message } = error.cause as Error
    expect(message).toContain(JSON.stringify(server.url))
    expect(message).toContain('oauth.metadataUrl')
    expect(paths(server)).toEqual([wellKnown])
  })

  const bad: [string, (url: string) => Reply][] = [
    ['HTML', () => ({ headers: { 'content-type': 'text/html' }, body: '<html>' })],
    ['truncated JSON', () => ({ headers: json, body: '{"issuer":' })],
    ['JSON that is no object', () => ({ body: [] })],
    ['without an issuer', (url) => ({ body: { token_endpoint: `${url}/token` } })],
    ['without a token endpoint', (url) => ({ body: { issuer: url } })],
    ['with a token endpoint that is no URL', (url) => ({ body: { issuer: url, token_endpoint: '/token' } })],
    [
      'with a token endpoint over http: beyond loopback',
      (url) => ({ body: { issuer: url, token_endpoint: 'http://login.example/token' } }),
    ],
    ['longer than 1 MiB', () => ({ endless: true })],
    ['moved elsewhere', (url) => ({ redirect: `${url}/other` })],
    ['failing', () => ({ status: 503 })],
    ['reset', () => ({ reset: true })],
  ]
  it.each(bad)('that is %s is a ServerMetadataError, and no endpoint is guessed', async (_name, reply) => {
    const { server, source } = await withMetadata((url) => ({
      [wellKnown]: reply(url),
      '/.well-known/openid-configuration': reply(url),
    }))
    expect(await rejection(source.get())).toBeInstanceOf(ServerMetadataError)
    expect(paths(server).filter((path) => !path.includes('well-known'))).toEqual([])
  })

  it('whose server is in trouble makes for 503, one that is wrong for 502', async () => {
    const failing = await withMetadata(() => ({ [wellKnown]: { status: 503 } }))
    expect(await rejection(failing.source.get())).toMatchObject({ statusCode: 503 })
    const missing = await withMetadata(() => ({}))
    expect(await rejection(missing.source.get())).toMatchObject({ statusCode: 502 })
  })

  // regressions J38
  it('that could not be had is asked for again by the next call', async () => {
    let up = false
    const { source } = await withMetadata((url) => ({
      [wellKnown]: up ? { body: { issuer: url, token_endpoint: `${url}/token` } } : { status: 503 },
    }))
    await rejection(source.get())
    up = true
    // Trouble is remembered for up to a second.
    await expect.poll(async () => (await source.get()).tokenType, { timeout: 3000 }).toBe('Bearer')
  })
})
