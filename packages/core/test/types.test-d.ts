import type { Dispatcher } from 'undici'
import {
  clientSecretBasic,
  createUpstream,
  createUpstreams,
  type ClientAuth,
  type TokenSource,
  type Upstream,
} from '../src/index.ts'
import * as oauth4webapi from 'oauth4webapi'

const oauth = { issuer: 'https://a.example', clientId: 'orders', clientAuth: clientSecretBasic('s') }
const upstreams = createUpstreams({
  billing: { baseUrl: 'https://a.example', oauth },
  hr: { baseUrl: 'https://a.example', oauth },
})

export const fetchIsFetch: typeof globalThis.fetch = upstreams.billing.fetch
export const dispatcher: Dispatcher = upstreams.hr.dispatcher
export const source: TokenSource = upstreams.hr.tokens
export const bound: Upstream = upstreams.with({ headers: { a: 'b' } }).billing
export const custom: ClientAuth = (_server, client, body) => body.set('client_id', client.client_id)
export const borrowed: ClientAuth = oauth4webapi.ClientSecretPost('s')
export const withSource: Upstream = createUpstream({ baseUrl: new URL('https://a.example'), oauth: source })

// @ts-expect-error -- there is no such upstream
void upstreams.nobody
// @ts-expect-error -- nor when bound
void upstreams.with({}).nobody
const { clientId: _, ...withoutClient } = oauth
// @ts-expect-error -- clientId is required
createUpstreams({ x: { baseUrl: 'https://a.example', oauth: withoutClient } })
// @ts-expect-error -- a secret is no client authentication
createUpstream({ baseUrl: 'https://a.example', oauth: { ...oauth, clientAuth: 'secret' } })
// @ts-expect-error -- there is no such option
createUpstream({ baseURL: 'https://a.example', oauth })
// @ts-expect-error -- the encoding has two forms
clientSecretBasic('s', { encoding: 'base64' })
// @ts-expect-error -- where a call goes is the upstream's affair
void upstreams.billing.request('/', { origin: 'https://evil.example' })
// @ts-expect-error -- tokens are frozen
void upstreams.billing.tokens.get().then((token) => (token.scope = 'x'))
