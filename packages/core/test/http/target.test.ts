import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OriginNotAllowedError, PathNotAllowedError } from '../../src/index.ts'
import { createTargetResolver } from '../../src/http/target.ts'

const base = new URL('https://billing.example.com/v1')
const { resolve } = createTargetResolver(base, [base.origin, 'https://files.example.com:8443'], 'billing')
const atRoot = createTargetResolver(new URL('https://billing.example.com'), [base.origin], undefined)
const origin = 'https://billing.example.com'

describe('a path is appended to the base URL', () => {
  it.each([
    ['/invoices', '/v1/invoices'],
    ['invoices', '/v1/invoices'],
    ['invoices/', '/v1/invoices/'],
    ['/', '/v1/'],
    ['', '/v1'],
    ['?page=2', '/v1?page=2'],
    [
      '/invoices?next=https://billing.example.com/v1/x&up=../..',
      '/v1/invoices?next=https://billing.example.com/v1/x&up=../..',
    ],
    ['/a%20b', '/v1/a%20b'],
    ['/a%2Fb', '/v1/a%2Fb'],
    ['/file%2Epdf', '/v1/file%2Epdf'],
    ['/a..b/c...', '/v1/a..b/c...'],
    ['/.well-known/x', '/v1/.well-known/x'],
    ['/a//b', '/v1/a//b'],
    ['/a b', '/v1/a%20b'],
    ['/ö', '/v1/%C3%B6'],
    ['/x#part', '/v1/x'],
    ['/100%', '/v1/100%'],
    ['/urn:example:1', '/v1/urn:example:1'],
    ['@evil.example', '/v1/@evil.example'],
  ])('%j becomes %s', (path, expected) => {
    expect(resolve(path)).toEqual({ origin, path: expected })
  })

  it.each([
    ['/x', '/x'],
    ['x', '/x'],
    ['', '/'],
    ['?a=b', '/?a=b'],
  ])('without a base path, %j becomes %s', (path, expected) => {
    expect(atRoot.resolve(path)).toEqual({ origin, path: expected })
  })

  it('a base URL that ends with a slash means the same', () => {
    const slashed = createTargetResolver(new URL('https://billing.example.com/v1/'), [origin], undefined)
    expect(slashed.resolve('/invoices')).toEqual({ origin, path: '/v1/invoices' })
    expect(slashed.resolve('invoices')).toEqual({ origin, path: '/v1/invoices' })
  })
})

// regressions J47
describe('a path that would leave the base URL is refused', () => {
  it.each([
    '..',
    '../',
    '../admin',
    '/..',
    '/../admin',
    '/invoices/../admin',
    '/invoices/..',
    '/invoices/../../admin?x=1',
    '//evil.example',
    '//evil.example/v1',
    '\\\\evil.example',
    '/\\evil.example',
    '\\..\\admin',
    '/a\\b',
    '/%2e%2e/admin',
    '/%2E%2E/admin',
    '/.%2e/admin',
    '/%2e./admin',
    '/..%2fadmin',
    '/a%2f..%2fadmin',
    '/%2e%2e%2fadmin',
    '/%252e%252e/admin',
    '/%252e%252e%252fadmin',
    '/..%5cadmin',
    '/..;/admin',
    '/x/..%3b/admin',
    `/%${'25'.repeat(9)}2e%2e/admin`,
    '/x/..%00/y',
    '/x%0d%0aHost:evil',
    '/a/..;x=1/admin',
    '/.\t./admin',
    '/.\n./admin',
    '/x\r\nHost: evil.example',
    '\t/../x',
    ' /x',
    '/x ',
    '/x\0',
  ])('%j', (path) => {
    expect(() => resolve(path)).toThrow(PathNotAllowedError)
    expect(() => atRoot.resolve(path)).toThrow(PathNotAllowedError)
    expect
      .soft(() => resolve(path))
      .toThrow(
        expect.objectContaining({
          code: 'ERR_TOKENWELL_PATH',
          statusCode: 400,
          message: 'Upstream "billing": the path leaves its base URL',
        }),
      )
  })

  it('whatever it is made of, the outcome is below the base or an error', () => {
    const pieces = fc.array(
      fc.constantFrom(
        '/',
        '..',
        '.',
        '%2e',
        '%2f',
        '%5c',
        '%25',
        '\\',
        'a',
        '?',
        '#',
        ':',
        '@',
        '\t',
        ';',
        'https:',
        '//',
      ),
      { maxLength: 8 },
    )
    fc.assert(
      fc.property(pieces, (parts) => {
        const text = parts.join('')
        let target
        try {
          target = resolve(text)
        } catch (error) {
          expect(error instanceof PathNotAllowedError || error instanceof OriginNotAllowedError).toBe(true)
          return
        }
        const url = new URL(target.origin + target.path)
        expect(url.origin).toBe(origin)
        expect(url.pathname === '/v1' || url.pathname.startsWith('/v1/')).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('an absolute URL', () => {
  it.each([
    ['https://billing.example.com/v2/x?y=1', origin, '/v2/x?y=1'],
    ['https://billing.example.com:443/v1', origin, '/v1'],
    ['HTTPS://BILLING.example.com/x', origin, '/x'],
    ['https://files.example.com:8443/f', 'https://files.example.com:8443', '/f'],
    ['https:billing.example.com/x', origin, '/x'],
  ])('of an allowed origin is taken as it is: %s', (url, expectedOrigin, path) => {
    expect(resolve(url)).toEqual({ origin: expectedOrigin, path })
    expect(resolve(new URL(url))).toEqual({ origin: expectedOrigin, path })
  })

  // regressions S28, J46, J47
  it.each([
    'https://evil.example/',
    'http://billing.example.com/v1',
    'https://billing.example.com:444/v1',
    'https://files.example.com/f',
    'https://billing.example.com./v1',
    'https://billing.example.com@evil.example/',
    'https://user:pass@billing.example.com/v1',
    'https://evil.example#@billing.example.com/',
    'https://xn--blling-4va.example.com/',
    'https://bılling.example.com/',
    'https:evil.example',
    'file:///etc/passwd',
    'data:text/plain,x',
    'urn:example:1',
    'javascript:alert(1)',
  ])('of any other is refused: %s', (url) => {
    expect(() => resolve(url)).toThrow(OriginNotAllowedError)
    expect(() => resolve(new URL(url))).toThrow(
      expect.objectContaining({ code: 'ERR_TOKENWELL_ORIGIN', statusCode: 500 }),
    )
  })

  it.each([
    'https://billing.example.com/v1/../../admin',
    'https://billing.example.com/%2e%2e/admin',
    'https:\\\\billing.example.com\\v1',
  ])('written with tricks is refused: %s', (url) => {
    expect(() => resolve(url)).toThrow(PathNotAllowedError)
  })
})

it.each([undefined, null, 42, {}])('%j is no path', (input) => {
  expect(() => resolve(input as never)).toThrow(TypeError)
})
