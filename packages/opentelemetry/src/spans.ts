import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Span, type Tracer } from '@opentelemetry/api'
import { attributes } from './attributes.ts'
import type { Listeners } from './subscriptions.ts'

/**
 * `tokenwell.token.renewal`, a span of its own trace, for what all waiters share: requests to the authorization server are its
 * children, if undici is instrumented. `tokenwell.token.acquire`, in the trace of each call that waits, with a link to it.
 */
export function spanListeners(tracer: () => Tracer): Listeners {
  const spans = new WeakMap<object, Span>()
  const end = (event: object, values: Parameters<typeof attributes>[0]) => {
    const span = spans.get(event)
    if (span === undefined) return
    span.setAttributes(attributes(values))
    if (values.errorType !== undefined) span.setStatus({ code: SpanStatusCode.ERROR })
    span.end()
  }
  return {
    'tokenwell:token.renewal': {
      start: (event) => {
        const { upstream, reason, around } = event
        const options = { kind: SpanKind.INTERNAL, attributes: attributes({ upstream, reason }) }
        const span = tracer().startSpan('tokenwell.token.renewal', options, ROOT_CONTEXT)
        spans.set(event, span)
        const within = trace.setSpan(ROOT_CONTEXT, span)
        // No AsyncLocalStorage that could be bound to the channel: how OpenTelemetry keeps its context is its own affair.
        event.around = (work) => context.with(within, around === undefined ? work : () => around(work))
      },
      asyncEnd: (event) => end(event, { errorType: event.errorType }),
    },
    'tokenwell:token.acquire': {
      start: (event) => {
        const { upstream, renewal } = event
        // A failure that is remembered is no wait.
        if (renewal === undefined) return
        const shared = spans.get(renewal)?.spanContext()
        const links = shared === undefined ? [] : [{ context: shared }]
        const options = { kind: SpanKind.INTERNAL, attributes: attributes({ upstream }), links }
        spans.set(event, tracer().startSpan('tokenwell.token.acquire', options, context.active()))
      },
      asyncEnd: (event) => end(event, { result: event.result, errorType: event.errorType }),
    },
  }
}
