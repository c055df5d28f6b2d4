import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseChallenges } from '../../src/oauth/challenge.ts'
import { refusesToken } from '../../src/oauth/refusal.ts'

const parsed = (value: string | string[]) =>
  parseChallenges(value).map(({ scheme, token68, parameters }) => [scheme, token68 ?? Object.fromEntries(parameters)])

// regressions S38. As real servers send them.
describe('parseChallenges reads', () => {
  it.each<[string, string | string[], unknown]>([
    ['a scheme alone', 'Bearer', [['bearer', {}]]],
    ['a realm', 'Bearer realm="example"', [['bearer', { realm: 'example' }]]],
    [
      'RFC 6750',
      'Bearer realm="example", error="invalid_token", error_description="The access token expired"',
      [['bearer', { realm: 'example', error: 'invalid_token', error_description: 'The access token expired' }]],
    ],
    [
      'commas in quotes',
      'Bearer error="invalid_token", error_description="expired, revoked, or malformed"',
      [['bearer', { error: 'invalid_token', error_description: 'expired, revoked, or malformed' }]],
    ],
    ['escaped quotes', 'Bearer realm="a \\"b\\" \\\\c"', [['bearer', { realm: 'a "b" \\c' }]]],
    [
      'several challenges in one value',
      'Basic realm="x", Bearer error="invalid_token", Negotiate',
      [
        ['basic', { realm: 'x' }],
        ['bearer', { error: 'invalid_token' }],
        ['negotiate', {}],
      ],
    ],
    [
      'several values',
      ['Basic realm="x"', 'Bearer error="invalid_token"'],
      [
        ['basic', { realm: 'x' }],
        ['bearer', { error: 'invalid_token' }],
      ],
    ],
    [
      'token68',
      'Negotiate oYG2MIGzoAMKAQE=, Bearer realm="x"',
      [
        ['negotiate', 'oYG2MIGzoAMKAQE='],
        ['bearer', { realm: 'x' }],
      ],
    ],
    [
      'no space after the comma',
      'Bearer realm="x",error="invalid_token"',
      [['bearer', { realm: 'x', error: 'invalid_token' }]],
    ],
    ['upper case', 'BEARER REALM="x",ERROR="invalid_token"', [['bearer', { realm: 'x', error: 'invalid_token' }]]],
    ['values without quotes', 'Bearer error=invalid_token', [['bearer', { error: 'invalid_token' }]]],
    ['space around the equals sign', 'Bearer error = "invalid_token"', [['bearer', { error: 'invalid_token' }]]],
    ['empty list elements', ', ,Bearer realm="x",, error="e" ,', [['bearer', { realm: 'x', error: 'e' }]]],
    ['an empty quoted value', 'Bearer realm=""', [['bearer', { realm: '' }]]],
    [
      'the DPoP of RFC 9449',
      'DPoP error="use_dpop_nonce", error_description="Resource server requires nonce in DPoP proof"',
      [['dpop', { error: 'use_dpop_nonce', error_description: 'Resource server requires nonce in DPoP proof' }]],
    ],
    ['Keystone', "Keystone uri='https://k.example'", [['keystone', { uri: "'https" }]].slice(1)],
    ['a URL without quotes', 'Bearer authorization_uri=https://x.example, error=invalid_token', []],
    ['nothing', '', []],
  ])('%s', (_name, value, expected) => {
    expect(parsed(value)).toEqual(expected)
  })

  it('nothing of a challenge that has a parameter twice, and the others', () => {
    expect(parsed('Bearer error="a", error="b", Basic realm="x"')).toEqual([['basic', { realm: 'x' }]])
  })

  it.each([
    ['an unterminated quote', 'Basic realm="x", Bearer error="invalid_token'],
    ['a quote that ends in a backslash', 'Basic realm="x", Bearer error="invalid_token\\'],
    ['garbage', 'Basic realm="x", Bearer @@@'],
    ['garbage after a value', 'Basic realm="x", Bearer error="a"b'],
    ['a value that is missing', 'Basic realm="x", Bearer realm="y", error='],
  ])('what comes before %s', (_name, value) => {
    expect(parsed(value)).toEqual([['basic', { realm: 'x' }]])
  })

  it('nothing of 64 KiB, of 8 KiB and one byte, or of 17 challenges; all of 16', () => {
    expect(parseChallenges(`Bearer error="${'x'.repeat(64 * 1024)}"`)).toEqual([])
    expect(parseChallenges(['Bearer', 'x'.repeat(8 * 1024 - 5)])).toEqual([])
    expect(parseChallenges(Array.from({ length: 17 }, () => 'Bearer'))).toEqual([])
    expect(parseChallenges(Array.from({ length: 16 }, () => 'Bearer'))).toHaveLength(16)
    expect(parseChallenges(undefined)).toEqual([])
  })

  it('back what it is made of', () => {
    const token = fc.string({ unit: fc.constantFrom(...Array.from('abcXYZ019-_.!')), minLength: 1, maxLength: 8 })
    const quoted = fc.string({ unit: fc.constantFrom(...Array.from('ab ,="\\;é\t')), maxLength: 10 })
    const challenge = fc.record({
      scheme: token,
      parameters: fc.dictionary(
        token.map((name) => name.toLowerCase()),
        quoted,
        { minKeys: 1, maxKeys: 3 },
      ),
    })
    fc.assert(
      fc.property(fc.array(challenge, { minLength: 1, maxLength: 4 }), (challenges) => {
        const text = challenges
          .map(
            ({ scheme, parameters }) =>
              `${scheme} ${Object.entries(parameters)
                .map(([name, value]) => `${name}="${value.replaceAll(/["\\]/g, '\\$&')}"`)
                .join(', ')}`,
          )
          .join(', ')
        expect(parsed(text)).toEqual(
          challenges.map(({ scheme, parameters }) => [scheme.toLowerCase(), { ...parameters }]),
        )
      }),
    )
  })

  it('anything at all without throwing, in a time that grows with its length', () => {
    const piece = fc.constantFrom('Bearer', ' ', ',', '=', '"', '\\', 'a', 'error', '\t', '==', '/', 'é', '\0')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        for (const { scheme } of parseChallenges(pieces.join(''))) expect(scheme).toMatch(/^[a-z]+$/)
      }),
      { numRuns: 2000 },
    )
    for (const hostile of [' ', ',', 'a=', '"', '\\"', 'a ', 'a="\\', '=']) {
      expect(parseChallenges(`Bearer ${hostile.repeat(8000 / hostile.length)}`).length).toBeLessThanOrEqual(16)
    }
  })
})

// The table of the semantics, for a token of type Bearer.
describe('a 401 refuses the token', () => {
  it.each<[string | string[] | undefined, boolean]>([
    [undefined, true],
    ['Bearer', true],
    ['Bearer realm="x"', true],
    ['Bearer error="invalid_token"', true],
    ['bearer error=invalid_token', true],
    ['Basic realm="x"', true],
    ['Basic realm="x", Bearer error="invalid_token"', true],
    ['DPoP error="invalid_dpop_proof"', true],
    ['Bearer error="unknown_to_us"', true],
    ['Bearer error="insufficient_scope", scope="a b"', false],
    ['Bearer error="insufficient_claims"', false],
    ['Bearer error="insufficient_user_authentication", acr_values="x"', false],
    ['Bearer error="invalid_request"', false],
    [['Basic realm="x"', 'Bearer error="insufficient_scope"'], false],
  ])('%j: %s', (value, refused) => {
    expect(refusesToken(value, 'Bearer')).toBe(refused)
  })
})
