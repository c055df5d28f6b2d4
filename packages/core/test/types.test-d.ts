import type { Dispatcher } from 'undici'
import { createPrivateKey } from 'node:crypto'
import {
  authorizationCode,
  clientAssertion,
  clientSecretBasic,
  clientSecretJwt,
  createUpstream,
  createUpstreams,
  jwtBearer,
  oracleIdentityDomain,
  privateKeyJwt,
  refreshToken,
  tlsClientAuth,
  tokenExchange,
  type CallContext,
  type ClientAuth,
  type Grant,
  type OAuthOptions,
  type Secret,
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
export const versioned: ClientAuth = async (_server, client, body, _headers, attempt) => {
  body.set('client_id', `${client.client_id} ${attempt?.number ?? 1}`)
  return { version: 'v1' }
}
export const secrets: Secret[] = ['s', { file: '/run/s' }, () => 's', async () => ({ value: 's', version: '1' })]
export const keys: ClientAuth[] = [
  privateKeyJwt('pem', { passphrase: 'p', x5t: { certificate: 'pem' } }),
  privateKeyJwt({ kty: 'EC' }),
  privateKeyJwt(createPrivateKey('pem')),
  privateKeyJwt(async () => ({ value: 'pem', version: '1' })),
  privateKeyJwt({ algorithm: 'ES256', sign: async (data) => data }),
  privateKeyJwt(() => ({ algorithm: 'ES256', keyId: 'k', sign: (data) => data })),
  clientAssertion({ file: '/run/token' }),
  clientAssertion(({ issuer, clientId, attempt, signal }) => `${issuer}${clientId}${attempt}${signal?.aborted}`),
  tlsClientAuth({ cert: { file: '/run/tls.crt' }, key: 'pem' }, { method: 'self_signed_tls_client_auth' }),
  tlsClientAuth(async () => ({ cert: 'pem', key: 'pem', ca: undefined })),
]
export const grants: Grant[] = [
  jwtBearer({ assertion: 'eyJ', scope: 'a' }),
  jwtBearer({ assertion: async ({ issuer, signal, attempt }) => `${issuer}${signal.aborted}${attempt}` }),
  jwtBearer({ assertion: { file: '/run/token' }, subject: ({ tenant = '' }) => tenant }),
  jwtBearer({ key: 'pem', subject: 'alice', keyId: 'k', x5t: { certificate: 'pem' }, claims: { roles: ['a'] } }),
  jwtBearer({ key: () => ({ kty: 'RSA' }), subject: ({ tenant = '' }) => tenant, audience: 'token-endpoint' }),
  refreshToken({ refreshToken: 'r', onRotated: (token) => new Map().set('r', token) }),
  refreshToken({
    refreshToken: ({ context }) => context?.subjectToken ?? '',
    subject: ({ tenant = '' }) => tenant,
    onRotated: async (token, { subject }) => void [token, subject],
  }),
  authorizationCode({ code: 'c', redirectUri: 'https://a.example', codeVerifier: 'v', onRotated: () => {} }),
  tokenExchange({ subjectToken: ({ subjectToken }) => subjectToken, subjectTokenExpiresAt: 'jwt', scope: ['a'] }),
  tokenExchange({
    subjectToken: 's',
    subjectTokenType: () => 'urn:ietf:params:oauth:token-type:jwt',
    subjectTokenExpiresAt: ({ tenant }) => (tenant === undefined ? undefined : 5),
    actorToken: 'a',
    actorTokenType: 'urn:ietf:params:oauth:token-type:jwt',
    requestedTokenType: ({ tenant }) => `urn:example:${tenant}`,
    audience: ({ tenant = '' }) => tenant,
  }),
  { ...authorizationCode({ code: 'c' }), credentials: () => ({ parameters: [['code', 'c']] }) },
]
export const oracle: OAuthOptions = oracleIdentityDomain({
  domainUrl: 'https://idcs-0123.identity.oraclecloud.com',
  clientId: 'orders',
  clientAuth: privateKeyJwt('pem', { keyId: 'k' }),
  scope: ['a', 'b'],
  tokenLifetimeMs: 60_000,
  timeoutMs: 1000,
})
export const byTenant: Upstream = createUpstream({
  baseUrl: 'https://a.example',
  oauth: ({ tenant }) => ({ ...oauth, clientId: tenant.toUpperCase() }),
})
const ofContext = (context: CallContext): OAuthOptions => ({ ...oauth, clientId: context.tenant ?? '' })
export const byContext: Upstream = createUpstream({ baseUrl: 'https://a.example', oauth: ofContext })
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
// @ts-expect-error -- a signer says by which algorithm it signs
privateKeyJwt({ sign: (data: Uint8Array) => data })
// @ts-expect-error -- a signature is bytes
privateKeyJwt({ algorithm: 'ES256', sign: () => 'text' })
// @ts-expect-error -- HMAC has three algorithms
clientSecretJwt('s', { algorithm: 'RS256' })
// @ts-expect-error -- an assertion that never changes would be refused before long
clientAssertion('eyJ')
// @ts-expect-error -- a certificate is nothing without its key
tlsClientAuth({ cert: 'pem' })
// @ts-expect-error -- a provider gives texts
tlsClientAuth(() => ({ cert: { file: '/run/tls.crt' }, key: 'pem' }))
// @ts-expect-error -- an assertion is given or signed, not both
jwtBearer({ assertion: 'eyJ', key: 'pem', subject: 'alice' })
// @ts-expect-error -- whoever signs says in whose name
jwtBearer({ key: 'pem' })
// @ts-expect-error -- a key makes no other claims of an assertion that is given
jwtBearer({ assertion: 'eyJ', claims: {} })
// @ts-expect-error -- there is nothing to refresh with
refreshToken({ onRotated: () => {} })
// @ts-expect-error -- there is nothing to exchange
tokenExchange({ subjectTokenType: 'urn:ietf:params:oauth:token-type:jwt' })
// @ts-expect-error -- an actor is known when the token key is made
tokenExchange({ subjectToken: 's', actorToken: async () => 'a' })
// @ts-expect-error -- what is asynchronous is asked for later: secrets, not options
createUpstream({ baseUrl: 'https://a.example', oauth: async () => oauth })
// @ts-expect-error -- its scope was decided when the user consented
authorizationCode({ code: 'c', scope: 'a' })
// @ts-expect-error -- the domain says where its metadata is
oracleIdentityDomain({ domainUrl: 'https://a.example', clientId: 'a', clientAuth: oauth.clientAuth, metadataUrl: 'x' })
