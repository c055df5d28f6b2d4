import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider, type ReadableSpan } from '@opentelemetry/sdk-trace'
import { tokenReply } from '@tokenwell/testing'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { instrumentTokenwell } from '../src/index.ts'
import { status, world } from './world.ts'

const contexts = new AsyncLocalStorageContextManager().enable()
beforeAll(() => void context.setGlobalContextManager(contexts))
afterAll(() => context.disable())

function traced() {
  const exporter = new InMemorySpanExporter()
  const tracerProvider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })
  const undici = new UndiciInstrumentation()
  undici.setTracerProvider(tracerProvider)
  undici.enable()
  const instrumentation = instrumentTokenwell({ tracerProvider })
  onTestFinished(async () => {
    instrumentation.disable()
    undici.disable()
    await tracerProvider.shutdown()
  })
  const tracer = tracerProvider.getTracer('test')
  return {
    /** Makes a call inside a span of its own. */
    inside: async <Result>(name: string, call: () => Promise<Result>): Promise<Result> => {
      const span = tracer.startSpan(name)
      try {
        return await context.with(trace.setSpan(ROOT_CONTEXT, span), call)
      } finally {
        span.end()
      }
    },
    spans: (name: string): ReadableSpan[] => exporter.getFinishedSpans().filter((span) => span.name === name),
    all: () => exporter.getFinishedSpans(),
  }
}

const ids = (span: ReadableSpan | undefined) => span?.spanContext()

it('callers that wait link to the renewal that they share, which is in no trace of theirs', async () => {
  const { inside, spans } = traced()
  const { billing } = await world()
  await Promise.all(['first', 'second'].map((name) => inside(name, () => status(billing))))
  await inside('third', () => status(billing))
  const [renewal, ...more] = spans('tokenwell.token.renewal')
  expect(more).toEqual([])
  expect(renewal?.parentSpanContext).toBe(undefined)
  expect(renewal?.kind).toBe(SpanKind.INTERNAL)
  expect(renewal?.attributes).toEqual({ 'tokenwell.upstream.name': 'billing', 'tokenwell.renewal.reason': 'initial' })
  const waits = spans('tokenwell.token.acquire')
  expect(waits.map(({ attributes }) => String(attributes['tokenwell.cache.result'])).toSorted()).toEqual([
    'coalesced',
    'miss',
  ])
  for (const wait of waits) {
    expect(wait.kind).toBe(SpanKind.INTERNAL)
    expect(wait.links.map((link) => link.context)).toEqual([ids(renewal)])
    expect(wait.spanContext().traceId).not.toBe(renewal?.spanContext().traceId)
  }
  const callers = [...spans('first'), ...spans('second')].map((span) => span.spanContext().spanId)
  expect(waits.map((wait) => wait.parentSpanContext?.spanId ?? '').toSorted()).toEqual(callers.toSorted())
})

it("requests to the authorization server are the renewal's children, and calls those of their callers", async () => {
  const { inside, spans, all } = traced()
  const { billing, port, api } = await world(
    (_request, index) => (index === 0 ? { status: 503 } : tokenReply()),
    undefined,
    {
      clock: undefined,
    },
  )
  await inside('caller', () => status(billing))
  const [renewal] = spans('tokenwell.token.renewal')
  const clients = all().filter(({ kind }) => kind === SpanKind.CLIENT)
  const to = (wanted: number) => clients.filter(({ attributes }) => attributes['server.port'] === wanted)
  expect(to(port).map((span) => span.parentSpanContext?.spanId)).toEqual([ids(renewal)?.spanId, ids(renewal)?.spanId])
  const [caller] = spans('caller')
  expect(to(Number(new URL(api.url).port)).map((span) => span.parentSpanContext?.spanId)).toEqual([ids(caller)?.spanId])
})

it('a failure is on the renewal and on all who waited, by its type alone', async () => {
  const { inside, spans } = traced()
  const { billing } = await world({
    status: 400,
    body: { error: 'invalid_scope', error_description: 'words of a server' },
  })
  await inside('caller', () => status(billing)).catch(() => {})
  for (const span of [...spans('tokenwell.token.renewal'), ...spans('tokenwell.token.acquire')]) {
    expect(span.attributes['error.type']).toBe('invalid_scope')
    expect(span.status).toEqual({ code: SpanStatusCode.ERROR })
    expect(span.events).toEqual([])
  }
  expect(spans('tokenwell.token.acquire')).toHaveLength(1)
  // What failed a moment ago is not waited for.
  await inside('later', () => status(billing)).catch(() => {})
  expect(spans('tokenwell.token.acquire')).toHaveLength(1)
})

// regressions S46
it('the spans have these attributes and no others', async () => {
  const { spans } = traced()
  const { billing } = await world()
  await status(billing)
  const names = (name: string) => spans(name).map(({ attributes }) => Object.keys(attributes).toSorted())
  expect(names('tokenwell.token.renewal')).toEqual([['tokenwell.renewal.reason', 'tokenwell.upstream.name']])
  expect(names('tokenwell.token.acquire')).toEqual([['tokenwell.cache.result', 'tokenwell.upstream.name']])
})
