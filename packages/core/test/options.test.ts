import { describe, expect, it } from 'vitest'
import {
  clientCredentials,
  clientSecretBasic,
  createTokenSource,
  createUpstream,
  createUpstreams,
  privateKeyJwt,
} from '../src/index.ts'
import { generateKeyPairSync } from 'node:crypto'

const clientAuth = clientSecretBasic('s3cret-value')
const oauth = { issuer: 'https://login.example.com', clientId: 'orders', clientAuth }
const upstream = { baseUrl: 'https://api.example.com', oauth }
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

describe('a wrong option is a TypeError at construction that names its path', () => {
  it.each<[string, object, string]>([
    ['no options', undefined as never, 'options: expected an object'],
    ['no clientId', { clientId: undefined }, 'clientId: expected a non-empty string'],
    ['an empty clientId', { clientId: '' }, 'clientId: expected a non-empty string'],
    [
      'no clientAuth',
      { clientAuth: undefined },
      'clientAuth: expected a client authentication, such as clientSecretBasic(secret)',
    ],
    [
      'a secret where clientAuth belongs',
      { clientAuth: 's3cret-value' },
      'clientAuth: expected a client authentication, such as clientSecretBasic(secret)',
    ],
    ['neither issuer nor token endpoint', { issuer: undefined }, 'issuer: this or tokenEndpoint must be given'],
    ['an issuer that is no URL', { issuer: 'login.example.com' }, 'issuer: expected an absolute https: URL'],
    [
      'an issuer with a password',
      { issuer: 'https://u:s3cret-value@login.example.com' },
      'issuer: expected a URL without user name and password',
    ],
    [
      'http: beyond loopback',
      { issuer: 'http://login.example.com' },
      'issuer: http: is refused but for loopback; use https:, or set allowInsecureRequests',
    ],
    [
      'a token endpoint over http:',
      { tokenEndpoint: 'http://login.example.com/token' },
      'tokenEndpoint: http: is refused but for loopback; use https:, or set allowInsecureRequests',
    ],
    [
      'a host that only looks like loopback',
      { issuer: 'http://localhost.example.com' },
      'issuer: http: is refused but for loopback; use https:, or set allowInsecureRequests',
    ],
    [
      'another host that only looks like loopback',
      { issuer: 'http://127.0.0.1.example.com' },
      'issuer: http: is refused but for loopback; use https:, or set allowInsecureRequests',
    ],
    [
      'metadataUrl and tokenEndpoint',
      { metadataUrl: 'https://a.example', tokenEndpoint: 'https://a.example' },
      'metadataUrl: not beside tokenEndpoint',
    ],
    [
      'metadataUrl without issuer',
      { issuer: undefined, metadataUrl: 'https://a.example', tokenEndpoint: undefined },
      'issuer: must be given with metadataUrl: the issuer that the metadata states',
    ],
    [
      'an assertion addressed to an issuer that is not known',
      { issuer: undefined, tokenEndpoint: 'https://a.example', clientAuth: privateKeyJwt(privateKey) },
      'issuer: must be given: the client assertion is addressed to it',
    ],
    ['scope beside grant', { scope: 'a', grant: clientCredentials() }, 'scope: not beside grant; give it to the grant'],
    ['a scope that is no text', { scope: [42] }, 'scope: expected a string or an array of strings'],
    [
      'a protocol parameter',
      { parameters: { client_secret: 's3cret-value' } },
      "parameters.client_secret: the protocol's own parameter; it has an option of its own or is not yours to set",
    ],
    ['a parameter that is no text', { parameters: { a: 1 } }, 'parameters.a: expected a string or an array of strings'],
    ['a timeout of nothing', { timeoutMs: 0 }, 'timeoutMs: expected milliseconds, at least 1'],
    [
      'a timeout that no timer can wait for',
      { timeoutMs: 2 ** 31 },
      'timeoutMs: expected at most 2147483647 milliseconds',
    ],
    ['a timeout that is no number', { timeoutMs: '10' }, 'timeoutMs: expected milliseconds, at least 1'],
    [
      'a negative window',
      { renewal: { renewBeforeMs: -1 } },
      'renewal.renewBeforeMs: expected milliseconds, at least 0',
    ],
    ['jitter above 1', { renewal: { jitter: 2 } }, 'renewal.jitter: expected a number from 0 to 1'],
    [
      'an unknown renewal option',
      { renewal: { refreshBefore: 1 } },
      'renewal.refreshBefore: there is no such option; there are renewBeforeMs, jitter, slackMs, defaultLifetimeMs, maxLifetimeMs, staleIfErrorMs, keepWarm, maxFailurePauseMs',
    ],
    ['a cache that is none', { cache: new Map([['a', 1]]).keys() }, 'cache: expected an object with get, set, delete'],
    ['a clock that is none', { clock: Date }, 'clock: expected an object with now, monotonic, setTimer'],
    ['a dispatcher that is none', { dispatcher: {} }, 'dispatcher: expected an object with dispatch'],
  ])('%s', (_name, changes, message) => {
    const options = changes === undefined ? undefined : { ...oauth, ...changes }
    expect(() => createTokenSource(options as never)).toThrow(new TypeError(message))
    if (options === undefined) return
    expect(() => createUpstream({ ...upstream, oauth: options })).toThrow(new TypeError(`oauth.${message}`))
    expect(() => createUpstreams({ billing: { ...upstream, oauth: options as never } })).toThrow(
      new TypeError(`billing.oauth.${message}`),
    )
  })

  it.each<[string, object, string]>([
    ['no baseUrl', { baseUrl: undefined }, 'baseUrl: expected an absolute https: URL'],
    ['a baseUrl that is a path', { baseUrl: '/v1' }, 'baseUrl: expected an absolute https: URL'],
    [
      'a baseUrl with a query',
      { baseUrl: 'https://a.example/?x=1' },
      'baseUrl: expected no query and no fragment: paths are appended to it',
    ],
    [
      'a baseUrl over http:',
      { baseUrl: new URL('http://a.example') },
      'baseUrl: http: is refused but for loopback; use https:, or set allowInsecureRequests',
    ],
    ['an origin with a path', { origins: ['https://a.example/x'] }, 'origins[0]: expected scheme, host and port alone'],
    ['origins as text', { origins: 'https://a.example' }, 'origins: expected an array of origins'],
    ['a wildcard origin', { origins: ['https://ok.example', '*'] }, 'origins[1]: expected an absolute https: URL'],
    [
      'an Authorization header',
      { headers: { Authorization: 'Bearer s3cret-value' } },
      'headers.Authorization: may not be set here',
    ],
    [
      'a header with a line end',
      { headers: { 'x-a': 's3cret-value\r\nx-b: c' } },
      'headers.x-a: expected a string of visible characters',
    ],
    [
      'a header name with a space',
      { headers: { 'x a': 'b' } },
      'headers: expected header names as RFC 9110 allows them',
    ],
    ['no oauth', { oauth: undefined }, 'oauth: expected OAuth options, a function that gives them, or a token source'],
    [
      'an unknown option',
      { baseURL: 'https://a.example' },
      'options.baseURL: there is no such option; there are baseUrl, oauth, name, origins, headers, dispatcher, replay, retry, timeoutMs, allowInsecureRequests, log',
    ],
    ['an unknown replay', { replay: 'always' }, 'replay: expected one of replayable, safe-methods, never'],
    [
      'a log that lacks a level',
      { log: { info() {}, warn() {}, error() {} } },
      'log: expected an object with debug, info, warn, error',
    ],
    ['a text for true', { allowInsecureRequests: 'false' }, 'allowInsecureRequests: expected true or false'],
    ['an empty name', { name: '' }, 'name: expected a non-empty string'],
    ['a dispatcher that is none', { dispatcher: 'agent' }, 'dispatcher: expected an object with dispatch'],
  ])('%s of an upstream', (_name, changes, message) => {
    const make = () => createUpstream({ ...upstream, ...changes })
    expect(make).toThrow(new TypeError(message))
    // regressions J58
    expect(make).toThrow(expect.not.objectContaining({ message: expect.stringContaining('s3cret-value') as string }))
    expect(() => createUpstreams({ billing: { ...upstream, ...changes } as never })).toThrow(
      new TypeError(message.startsWith('options') ? message.replace('options', 'billing') : `billing.${message}`),
    )
  })

  it.each([
    ['http://localhost:3000'],
    ['http://127.0.0.1'],
    ['http://127.1.2.3:80'],
    ['http://[::1]:8080'],
    ['http://as.localhost'],
  ])('%s is loopback, where http: is fine', async (url) => {
    await createUpstream({ baseUrl: url, oauth: { ...oauth, issuer: url } }).close()
  })

  it('http: beyond loopback can be allowed, on each side by itself', async () => {
    const insecure = {
      ...upstream,
      baseUrl: 'http://api.internal',
      oauth: { ...oauth, issuer: 'http://login.internal' },
    }
    expect(() => createUpstream({ ...insecure, allowInsecureRequests: true })).toThrow(/^oauth\.issuer: http:/)
    expect(() => createUpstream({ ...insecure, oauth: { ...insecure.oauth, allowInsecureRequests: true } })).toThrow(
      /^baseUrl: http:/,
    )
    await createUpstream({
      ...insecure,
      allowInsecureRequests: true,
      oauth: { ...insecure.oauth, allowInsecureRequests: true },
    }).close()
  })

  // regressions J44
  it('the options are never changed, and changing them later changes nothing', async () => {
    const frozen = Object.freeze({
      ...upstream,
      origins: Object.freeze(['https://b.example']),
      oauth: Object.freeze({ ...oauth, scope: Object.freeze(['b', 'a']) }),
    })
    await createUpstream(frozen).close()
    expect(frozen.oauth.scope).toEqual(['b', 'a'])
  })
})
