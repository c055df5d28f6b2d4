import type { Upstream } from '../packages/core/dist/index.js'

/** What a load saw. */
export interface LoadResult {
  /** Milliseconds per call. */
  readonly latencies: number[]
  readonly refused: number
  readonly failed: number
}

/** Calls `upstream` from `concurrency` callers without a break until `untilMs` on the monotonic clock. */
export async function load(upstream: Upstream, concurrency: number, untilMs: number): Promise<LoadResult> {
  const latencies: number[] = []
  let refused = 0
  let failed = 0
  const caller = async () => {
    while (performance.now() < untilMs) {
      const began = performance.now()
      try {
        const { statusCode, body } = await upstream.request('/x')
        await body.dump()
        latencies.push(performance.now() - began)
        if (statusCode === 401) refused += 1
        else if (statusCode !== 200) failed += 1
      } catch {
        failed += 1
      }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, caller))
  return { latencies, refused, failed }
}
