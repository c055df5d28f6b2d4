import { describe, expect, it, onTestFinished, vi } from 'vitest'
import * as core from '../src/index.ts'

describe('error classes', () => {
  it.each<[keyof typeof core, string, number]>([
    ['TokenRequestError', 'ERR_TOKENWELL_TOKEN_REQUEST', 502],
    ['TokenResponseError', 'ERR_TOKENWELL_TOKEN_RESPONSE', 502],
    ['TokenEndpointUnreachableError', 'ERR_TOKENWELL_TOKEN_ENDPOINT_UNREACHABLE', 503],
    ['ServerMetadataError', 'ERR_TOKENWELL_SERVER_METADATA', 502],
    ['OriginNotAllowedError', 'ERR_TOKENWELL_ORIGIN', 500],
    ['PathNotAllowedError', 'ERR_TOKENWELL_PATH', 400],
    ['UpstreamTimeoutError', 'ERR_TOKENWELL_TIMEOUT', 504],
    ['UpstreamUnreachableError', 'ERR_TOKENWELL_UNREACHABLE', 503],
    ['OverloadError', 'ERR_TOKENWELL_OVERLOAD', 503],
    ['UpstreamClosedError', 'ERR_TOKENWELL_CLOSED', 503],
  ])('%s has the code %s and the status %i', (name, code, statusCode) => {
    const Class = Object.entries(core).find(([exported]) => exported === name)?.[1] as unknown as new (
      problem: string,
      details: object,
    ) => core.TokenwellError
    const cause = new Error('why')
    const error = new Class('it failed', { upstream: 'billing', cause })
    expect(error).toBeInstanceOf(core.TokenwellError)
    expect(error).toBeInstanceOf(Error)
    // What Express, Fastify, Koa and Nest read, by the convention of http-errors.
    expect(error).toMatchObject({ status: statusCode, expose: true })
    expect(error).toMatchObject({
      name,
      code,
      statusCode,
      cause,
      upstream: 'billing',
      message: 'Upstream "billing": it failed',
    })
    expect(error.stack).toMatch(new RegExp(`^${name}: Upstream "billing": it failed\\n`))
    expect(new Class('it failed', {})).toMatchObject({ message: 'it failed', upstream: undefined })
    expect(JSON.parse(JSON.stringify(error))).toMatchObject({ name, code, statusCode })
  })

  it('bring the header that says when to come again, while that is to come', () => {
    vi.useFakeTimers({ now: 1_000_000, toFake: ['Date'] })
    onTestFinished(() => void vi.useRealTimers())
    const headersAt = (retryAt: number | undefined) => new core.OverloadError('x', { retryAt }).headers
    expect(headersAt(1_001_000)).toEqual({ 'retry-after': '1' })
    expect(headersAt(1_001_001)).toEqual({ 'retry-after': '2' })
    expect(headersAt(1_000_001)).toEqual({ 'retry-after': '1' })
    expect(headersAt(1_000_000)).toBeUndefined()
    expect(headersAt(undefined)).toBeUndefined()
    expect(headersAt(Number.NaN)).toBeUndefined()
    // No failure is remembered for longer, whatever the server wants.
    for (const far of [1_061_000, 1e12, 1e300, Infinity]) expect(headersAt(far)).toEqual({ 'retry-after': '60' })
    const error = new core.OverloadError('x', { retryAt: 1_003_000 })
    vi.setSystemTime(1_002_000)
    expect(error.headers).toEqual({ 'retry-after': '1' })
    expect(Object.keys(error)).not.toContain('headers')
  })

  it('are classes that may be extended', () => {
    class Mine extends core.UpstreamUnreachableError {}
    expect(new core.UpstreamUnreachableError('x', {})).not.toBeInstanceOf(Mine)
    expect(new Mine('x', {})).toBeInstanceOf(Mine)
    expect(new Mine('x', {})).toBeInstanceOf(core.UpstreamUnreachableError)
  })

  it('are made anew for each caller with everything they say', () => {
    const error = new core.TokenRequestError('no', {
      error: 'invalid_client',
      tokenEndpointStatus: 401,
      parameters: { ecid: 'e' },
      cause: new Error('c'),
    })
    const copy = error.reissue({ upstream: 'billing' })
    expect(copy).not.toBe(error)
    expect(copy).toBeInstanceOf(core.TokenRequestError)
    expect(copy).toMatchObject({
      message: 'Upstream "billing": no',
      error: 'invalid_client',
      tokenEndpointStatus: 401,
      parameters: { ecid: 'e' },
      cause: error.cause,
    })
  })

  // regressions J68
  it('are known across copies of this package by TokenwellError', async () => {
    const url = new URL('../src/errors.ts?another-copy', import.meta.url).href
    const other = (await import(/* @vite-ignore */ url)) as typeof core
    expect(other.TokenwellError).not.toBe(core.TokenwellError)
    expect(new other.OverloadError('x', {})).toBeInstanceOf(core.TokenwellError)
    expect(new other.OverloadError('x', {})).not.toBeInstanceOf(core.UpstreamClosedError)
    expect(new Error('x')).not.toBeInstanceOf(core.TokenwellError)
  })
})
