import { randomBytes, randomUUID } from 'node:crypto'
import type { Call, SeenByApi } from './evidence.ts'

/** Credentials of our own caller. They are meant for the service, so the API must never see them. */
export const inboundToken = 'inbound-secret'
export const inboundCookie = 'session=inbound-cookie'

const atOnce = 20
const inTurn = 5

/** Asks an orders service over HTTP: many at once while it may still wait for its first token, then one after the other. */
export async function driveService(url: string, signal: AbortSignal): Promise<readonly Call[]> {
  const together = Array.from({ length: atOnce }, (_, index) => getOrder(url, String(index), signal))
  const calls = await Promise.all(together)
  for (let index = atOnce; index < atOnce + inTurn; index++) calls.push(await getOrder(url, String(index), signal))
  return calls
}

async function getOrder(url: string, id: string, signal: AbortSignal): Promise<Call> {
  // As W3C Trace Context has it: version, trace id, parent id, flags.
  const traceparent = `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`
  const expected = { traceparent, 'x-request-id': randomUUID() }
  const response = await fetch(`${url}/orders/${id}`, {
    headers: { ...expected, authorization: `Bearer ${inboundToken}`, cookie: inboundCookie },
    signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]),
  })
  const answer = await response.text()
  const seen = response.ok ? (JSON.parse(answer) as { readonly invoice: SeenByApi }).invoice : undefined
  return { status: response.status, answer, seen, expected }
}
