import type { Dispatcher } from 'undici'
import { isAmong } from './target.ts'

/**
 * The origins that a dispatcher sends to, whatever the origin of the call: a `Client` and a `Pool` have one, a `BalancedPool` may be
 * given more at any time. Undefined for one that goes where the call says, as an `Agent` does.
 */
export function boundOrigins(dispatcher: Dispatcher): (() => readonly string[]) | undefined {
  if (Array.isArray(upstreamsOf(dispatcher))) return () => upstreamsOf(dispatcher) ?? []
  let bound: string | null | undefined
  // undici tells it to interceptors, and to nobody else.
  const look = (dispatch: Dispatcher.Dispatch, origin?: string | null): Dispatcher.Dispatch => {
    bound = origin
    return dispatch
  }
  if (typeof dispatcher.compose === 'function') dispatcher.compose(look)
  if (bound === undefined) return undefined
  // null: to more than one, and it does not say which.
  const origins: readonly string[] = bound === null ? [] : [bound]
  return () => origins
}

/** May a call to this origin, one of the allowed ones, go through a dispatcher that sends to `bound`? */
export function mayPass(
  bound: readonly string[],
  origin: string | URL | undefined,
  allowed: ReadonlySet<string>,
): boolean {
  return isAmong(new Set(bound), origin) && bound.every((one) => isAmong(allowed, one))
}

function upstreamsOf(dispatcher: Dispatcher): readonly string[] | undefined {
  return (dispatcher as { upstreams?: readonly string[] }).upstreams
}
