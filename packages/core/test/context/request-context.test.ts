import { EventEmitter, getEventListeners } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { mergeContexts, type MergedContext } from '../../src/context/call-context.ts'
import type { EndingListener } from '../../src/context/hang-up.ts'
import { requestContext } from '../../src/context/request-context.ts'

const response = (state: object = {}) => Object.assign(new EventEmitter(), state) as unknown as ServerResponse
const request = (headers: object) => ({ headers }) as IncomingMessage
const headersOf = (headers: object, propagate?: readonly string[]) =>
  requestContext({ propagate })(request(headers), response()).headers

describe('the headers that go on', () => {
  it('are those of a trace and the request id', () => {
    const trace = { traceparent: '00-a-b-01', tracestate: 'v=1', baggage: 'k=v', 'x-request-id': 'r' }
    expect(headersOf({ ...trace, authorization: 'Bearer x', cookie: 'a=b', 'x-other': 'o' })).toEqual(trace)
  })

  it.each([
    ['several of it, as Node.js joins them', { 'x-request-id': 'a, b' }, { 'x-request-id': 'a, b' }],
    ['a traceparent that is none', { traceparent: 'nonsense' }, { traceparent: 'nonsense' }],
    ['an empty one', { baggage: '' }, { baggage: '' }],
    ['Latin-1', { baggage: 'k=\u00e9' }, { baggage: 'k=\u00e9' }],
    ['16 KiB of it', { baggage: 'x'.repeat(16_384) }, { baggage: 'x'.repeat(16_384) }],
    ['a list', { 'x-request-id': ['a', 'b'] }, {}],
    ['a line break', { 'x-request-id': 'a\r\nauthorization: b' }, {}],
    ['a NUL', { traceparent: 'a\0b' }, {}],
    ['what is beyond Latin-1', { baggage: 'k=\u20ac' }, {}],
  ])('with %s: passed as it came, or dropped', (_what, inbound, expected) => {
    expect(headersOf(inbound)).toEqual(expected)
  })

  it.each(['Authorization', 'cookie', 'proxy-authorization', 'DPoP', 'host', 'transfer-encoding'])(
    'are never %s, not even if asked for',
    (name) => {
      expect(() => requestContext({ propagate: ['x-request-id', name] })).toThrow(
        new TypeError(`propagate: ${name.toLowerCase()} is never passed on to an upstream`),
      )
    },
  )

  it('are names that HTTP allows', () => {
    expect(() => requestContext({ propagate: ['x request id'] })).toThrow(
      new TypeError('propagate: expected header names as RFC 9110 allows them'),
    )
  })
})

describe('the signal', () => {
  it.each([
    ['HTTP/1', { writableEnded: true, writableFinished: false }, { writableEnded: true, writableFinished: true }],
    // As the compatibility API of node:http2 has it after its stream was reset.
    ['HTTP/2', { writableEnded: false, writableFinished: true }, { writableEnded: true, writableFinished: true }],
    ['HTTP/2 without writableFinished', { writableEnded: false }, { writableEnded: true }],
  ])('aborts when the caller hangs up before its answer, and not after: %s', (_protocol, open, done) => {
    for (const [state, aborted] of [
      [open, true],
      [done, false],
    ] as const) {
      const inbound = response(state)
      const { signal } = requestContext()(request({}), inbound)
      expect(signal?.aborted).toBe(false)
      inbound.emit('close')
      expect(signal?.aborted).toBe(aborted)
      expect(getEventListeners(inbound, 'close')).toHaveLength(0)
    }
  })

  it.each([
    ['HTTP/1', { destroyed: true, writableFinished: false }],
    ['HTTP/2', { stream: { destroyed: true }, writableEnded: false, writableFinished: true }],
  ])('is aborted from the start if the caller has gone by then: %s', (_protocol, state) => {
    const { signal } = requestContext()(request({}), response(state))
    expect(signal).toMatchObject({ aborted: true, reason: { name: 'AbortError' } })
  })

  it('listens once, however many contexts are made of one request', () => {
    const inbound = response({ writableEnded: false })
    const signals = Array.from({ length: 20 }, () => requestContext()(request({}), inbound).signal)
    expect(getEventListeners(inbound, 'close')).toHaveLength(1)
    inbound.emit('close')
    expect(signals.every((signal) => signal?.aborted)).toBe(true)
  })

  it.each([
    ['before anybody asked for it', false],
    ['after somebody asked for it', true],
  ])('goes with a copy of the context, unless that brings one of its own: copied %s', (_when, isMade) => {
    const inbound = response({ writableEnded: true, writableFinished: false })
    const context = requestContext()(request({}), inbound)
    if (isMade) expect(context.signal?.aborted).toBe(false)
    const own = new AbortController().signal
    const copy = mergeContexts(undefined, { ...context, tenant: 'acme' })
    const other = mergeContexts(undefined, { ...context, signal: own })
    inbound.emit('close')
    expect([copy.signal?.aborted, copy.tenant]).toEqual([true, 'acme'])
    expect(other.signal).toBe(own)
  })

  it('tells every call that is under way, and none that has ended', () => {
    const inbound = response()
    const { ending } = requestContext()(request({}), inbound) as MergedContext
    const told: string[] = []
    const listener = (name: string): EndingListener => ({ handleEvent: () => void told.push(name) })
    const [first, second, third, fourth] = [listener('1'), listener('2'), listener('3'), listener('4')] as const
    for (const call of [first, second, third]) ending?.addEventListener('abort', call)
    for (const call of [first, second]) ending?.removeEventListener('abort', call)
    ending?.addEventListener('abort', fourth)
    inbound.emit('close')
    expect(told.toSorted()).toEqual(['3', '4'])
  })

  it('and all else is made once: nothing is copied where there is no other context', () => {
    const context = requestContext()(request({ baggage: 'k=v' }), response())
    expect(mergeContexts(undefined, context)).toBe(context)
    expect(Object.isFrozen(context)).toBe(true)
  })

  it('is none where nothing is to end with the caller', () => {
    expect(requestContext({ abortOnDisconnect: 'never' })(request({}), response())).toEqual({ headers: {} })
  })
})
