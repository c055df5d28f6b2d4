import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clientCredentials, type ClientCredentialsOptions } from '../../src/index.ts'
import { tokenKey, type TokenKeyIdentity } from '../../src/source/token-key.ts'

const identity: TokenKeyIdentity = {
  issuer: 'https://as.example',
  location: undefined,
  clientId: 'orders',
  clientAuthMethod: 'client_secret_basic',
  grantType: 'client_credentials',
  confirmation: [],
}
const parametersOfNobody = clientCredentials().parameters(undefined)
const keyOf = (options: ClientCredentialsOptions = {}, changes: Partial<TokenKeyIdentity> = {}) =>
  tokenKey({ ...identity, ...changes }, clientCredentials(options).parameters(undefined))

describe('the token key', () => {
  it('is a SHA-256 in base64url', () => {
    expect(keyOf()).toMatch(/^[\w-]{43}$/)
  })

  // regressions S3, J5
  it.each<[string, string]>([
    ['issuer', keyOf({}, { issuer: 'https://other.example' })],
    ['token endpoint', keyOf({}, { location: 'https://as.example/token' })],
    ['client', keyOf({}, { clientId: 'billing' })],
    ['client authentication method', keyOf({}, { clientAuthMethod: 'private_key_jwt' })],
    ['grant', keyOf({}, { grantType: 'other' })],
    ['certificate', keyOf({}, { confirmation: [['x5t#S256', 'abc']] })],
    ['DPoP key', keyOf({}, { confirmation: [['jkt', 'abc']] })],
    ['tenant', keyOf({}, { tenant: 'acme' })],
    ['scope', keyOf({ scope: 'a' })],
    ['resource', keyOf({ resource: 'a' })],
    ['audience', keyOf({ audience: 'a' })],
    ['authorization details', keyOf({ authorizationDetails: [{ type: 'a' }] })],
    ['further parameter', keyOf({ parameters: { a: 'a' } })],
    ['further parameter of another name', keyOf({ parameters: { b: 'a' } })],
    ['subject', tokenKey(identity, { ...parametersOfNobody, subject: ['name', 'a'] })],
  ])('changes with the %s', (_name, key) => {
    expect(key).not.toBe(keyOf())
  })

  // regressions S4, J2
  it('does not change with the order or repetition of scopes, resources, audiences and parameters', () => {
    expect(keyOf({ scope: 'b a' })).toBe(keyOf({ scope: ['a', 'b', 'a'] }))
    expect(keyOf({ scope: '  a   b ' })).toBe(keyOf({ scope: ['a b'] }))
    expect(keyOf({ resource: ['b', 'a', 'b'] })).toBe(keyOf({ resource: ['a', 'b'] }))
    expect(keyOf({ audience: ['b', 'a'] })).toBe(keyOf({ audience: ['a', 'b'] }))
    expect(keyOf({ parameters: { b: '1', a: ['2', '1'] } })).toBe(keyOf({ parameters: { a: ['1', '2'], b: '1' } }))
  })

  it('does not change with the order of members in authorization details, but with that of the objects', () => {
    const one = { type: 'a', actions: ['read', 'write'] }
    const two = { actions: ['read', 'write'], type: 'a' }
    expect(keyOf({ authorizationDetails: [one] })).toBe(keyOf({ authorizationDetails: [two] }))
    expect(keyOf({ authorizationDetails: [one, { type: 'b' }] })).not.toBe(
      keyOf({ authorizationDetails: [{ type: 'b' }, one] }),
    )
    expect(keyOf({ authorizationDetails: [{ type: 'a', x: [['y', 1]] }] })).not.toBe(
      keyOf({ authorizationDetails: [{ type: 'a', x: { y: 1 } }] }),
    )
  })

  // regressions S4, J2, J3
  it.each<[string, string, string]>([
    ['one scope that is two', keyOf({ resource: ['a', 'bc'] }), keyOf({ resource: ['ab', 'c'] })],
    ['a scope or a resource', keyOf({ scope: 'a' }), keyOf({ resource: 'a' })],
    ['a parameter or two', keyOf({ parameters: { a: 'b&c=d' } }), keyOf({ parameters: { a: 'b', c: 'd' } })],
    [
      'a subject or another kind of one',
      tokenKey(identity, { ...parametersOfNobody, subject: ['name', 'a'] }),
      tokenKey(identity, { ...parametersOfNobody, subject: ['token', 'a'] }),
    ],
    ['[A, C] or [B, C]', keyOf({ resource: ['A', 'C'] }), keyOf({ resource: ['B', 'C'] })],
  ])('tells %s apart', (_name, one, other) => {
    expect(one).not.toBe(other)
  })

  it('is the same only for the same parameters', () => {
    const words = fc.array(
      fc.string({ unit: fc.constantFrom('a', 'b', '"', ',', '[', '\\', '\0'), minLength: 1, maxLength: 3 }),
      { maxLength: 3 },
    )
    const options = fc.record({
      resource: words,
      audience: words,
      parameters: fc.dictionary(fc.constantFrom('x', 'y'), words),
    })
    const canonical = ({
      resource,
      audience,
      parameters,
    }: {
      resource: string[]
      audience: string[]
      parameters: Record<string, string[]>
    }) =>
      JSON.stringify([
        [...new Set(resource)].toSorted(),
        [...new Set(audience)].toSorted(),
        Object.entries(parameters)
          .flatMap(([name, values]) => values.map((value) => JSON.stringify([name, value])))
          .toSorted(),
      ])
    fc.assert(
      fc.property(options, options, (one, other) => {
        expect(keyOf(one) === keyOf(other)).toBe(canonical(one) === canonical(other))
      }),
      { numRuns: 300 },
    )
  })
})

describe('a grant', () => {
  it.each([
    'scope',
    'client_id',
    'client_secret',
    'grant_type',
    'resource',
    'audience',
    'assertion',
    'client_assertion',
  ])('refuses %s as a further parameter', (name) => {
    expect(() => clientCredentials({ parameters: { [name]: 'x' } })).toThrow(
      new TypeError(
        `parameters.${name}: the protocol's own parameter; it has an option of its own or is not yours to set`,
      ),
    )
  })

  // regressions S7, J44
  it('keeps no object of the caller', () => {
    const detail = { type: 'a', actions: ['read'] }
    const scope = ['a']
    const grant = clientCredentials({ scope, authorizationDetails: [detail] })
    detail.actions.push('write')
    scope.push('b')
    expect(grant.parameters(undefined)).toMatchObject({
      scope: ['a'],
      authorizationDetails: [{ type: 'a', actions: ['read'] }],
    })
    expect(Object.isFrozen(grant.parameters(undefined))).toBe(true)
  })

  it('may depend on the context of the call', () => {
    const grant = clientCredentials({ scope: 'a', parameters: ({ tenant }) => ({ tenant: tenant ?? 'none' }) })
    expect(grant.contextual).toBe(true)
    expect(grant.parameters({ tenant: 'x' }).parameters).toEqual([['tenant', 'x']])
    expect(grant.parameters(undefined).parameters).toEqual([['tenant', 'none']])
  })
})
