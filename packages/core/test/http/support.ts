import {
  createScriptedServer,
  tokenReply,
  type RecordedRequest,
  type Reply,
  type ScriptedServer,
} from '@tokenwell/testing'
import { Agent, type Dispatcher } from 'undici'
import { onTestFinished } from 'vitest'
import {
  clientSecretBasic,
  createAccessToken,
  createTokenSource,
  createUpstream,
  type OAuthOptions,
  type TokenSource,
  type Upstream,
  type UpstreamOptions,
} from '../../src/index.ts'
import { tokenEndpoint } from '../support.ts'

/** How an API says that a token is no longer good (RFC 6750 §3.1). */
export const refusal = {
  status: 401,
  headers: { 'www-authenticate': 'Bearer error="invalid_token"', 'content-type': 'application/json' },
  body: { refused: true },
}

/** A scripted server that is closed when the test is over. */
export async function scripted(reply: Reply = { body: { ok: true } }): Promise<ScriptedServer> {
  const server = await createScriptedServer(reply)
  onTestFinished(() => server.close())
  return server
}

/** A token source that always has the same token. */
export function fixedSource(value = 'fixed-token'): TokenSource {
  const expiresAt = Date.now() + 60_000
  const token = createAccessToken({ value, tokenType: 'Bearer', expiresAt, generation: 'g' })
  return { peek: () => token, get: async () => token, invalidate: () => false, close: async () => {} }
}

/** A dispatcher that is destroyed when the test is over. */
export function closing<D extends Dispatcher>(dispatcher: D): D {
  onTestFinished(() => dispatcher.destroy())
  return dispatcher
}

/** An upstream that is closed when the test is over. */
export function upstreamAt(baseUrl: string, options: Partial<UpstreamOptions> = {}): Upstream {
  const upstream = createUpstream({ baseUrl, oauth: fixedSource(), ...options })
  onTestFinished(() => upstream.close())
  return upstream
}

/** The token that a request had. */
export const tokenOf = ({ headers }: RecordedRequest): string | undefined =>
  headers.authorization?.replace(/^Bearer /, '')

/** Every value of Authorization that a request had: two would be one too many. */
export function authorizationsOf({ rawHeaders }: RecordedRequest): readonly string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && /^authorization$/i.test(rawHeaders[index - 1] ?? ''))
}

/** An authorization server, which issues `token-0`, `token-1` and so on, and an API that refuses what is revoked. */
export interface Realm {
  readonly server: ScriptedServer
  readonly api: ScriptedServer
  readonly oauth: OAuthOptions
  /** Tokens that the API refuses, from now on. */
  readonly revoked: Set<string>
}

/** Starts a {@link Realm}. What the API answers to a good token is `answer`, and `refuse` to a revoked one. */
export async function createRealm(answer: Reply = { body: { ok: true } }, refuse: Reply = refusal): Promise<Realm> {
  const revoked = new Set<string>()
  const server = await tokenEndpoint((_request, index) => tokenReply({ accessToken: `token-${index}` }))
  const api = await scripted(async (request, index) => {
    const reply = revoked.has(tokenOf(request) ?? '') ? refuse : answer
    return typeof reply === 'function' ? reply(request, index) : reply
  })
  const oauth = { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s3cret') }
  return { server, api, oauth, revoked }
}

/** A token source of a realm, with its first token. */
export async function warmSource({ oauth }: Realm): Promise<TokenSource> {
  const source = createTokenSource(oauth)
  onTestFinished(() => source.close())
  await source.get()
  return source
}

/** An agent of the test's own, destroyed when it is over. */
export const agent = (options?: Agent.Options): Agent => closing(new Agent(options))
