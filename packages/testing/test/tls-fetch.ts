import { Agent, fetch as undiciFetch } from 'undici'
import { onTestFinished } from 'vitest'

/** `fetch` for a server whose certificate comes from `ca`, showing the client's own if there is one. */
export function tlsFetch(connect: { ca: string; cert?: string; key?: string }): typeof fetch {
  const { ca, cert, key } = connect
  const dispatcher = new Agent({ connect: { ca, ...(cert === undefined ? {} : { cert, key }) } })
  onTestFinished(() => dispatcher.destroy())
  return ((url: string, init: object) => undiciFetch(url, { ...init, dispatcher })) as unknown as typeof fetch
}

/** The code of what a failed `fetch` was caused by. */
export async function failureCode(promise: Promise<unknown>): Promise<unknown> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return error instanceof Error ? (error.cause as { code?: unknown } | undefined)?.code : undefined
}
