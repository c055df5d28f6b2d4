import * as undici from 'undici'
import { safeMethods } from './safe-methods.ts'

/** Which requests may be sent again after the API refused their token. */
export type ReplayPolicy = 'replayable' | 'safe-methods' | 'never'

/** A request as an interceptor sees it. */
export interface ReplayCandidate {
  readonly method: string
  readonly body?: unknown
  readonly upgrade?: boolean | string | null
  readonly expectContinue?: boolean
}

/** Why a request is not sent a second time. */
export type Obstacle = 'skipped_policy' | 'skipped_body'

/**
 * May this request be sent a second time? A 401 says that it was not processed (RFC 9110 §15.5.2), so its method does not
 * matter; its body must be at hand as it was. Streams and iterators are not, and are never kept for this.
 */
export function isReplayable(request: ReplayCandidate, policy: ReplayPolicy): boolean {
  return obstacleTo(request, policy) === undefined
}

/** The same, with the reason. */
export function obstacleTo(
  { method, body, upgrade, expectContinue }: ReplayCandidate,
  policy: ReplayPolicy,
): Obstacle | undefined {
  if (policy === 'never' || method === 'CONNECT' || expectContinue === true) return 'skipped_policy'
  if (upgrade !== undefined && upgrade !== null && upgrade !== false) return 'skipped_policy'
  if (policy === 'safe-methods' && !safeMethods.has(method.toUpperCase())) return 'skipped_policy'
  const isAtHand =
    body === null || body === undefined || typeof body === 'function' || isBytes(body) || body instanceof Blob
  return isAtHand ? undefined : 'skipped_body'
}

/** A body that can be sent as often as needed, with the content type that fetch gives it. */
export interface EncodedBody {
  readonly body: Uint8Array | Blob
  readonly type: string | null
}

/** A body of fetch in a form that can be had again; undefined for streams and iterators, and where there is none. */
export async function encodeBody(body: unknown): Promise<EncodedBody | undefined> {
  // Read anew for each time that it is sent, so that a large file is not held in memory.
  if (body instanceof Blob) return { body, type: body.type === '' ? null : body.type }
  if (!isBytes(body) && !(body instanceof URLSearchParams) && !(body instanceof undici.FormData)) return undefined
  // Once for all attempts: a form's boundary is drawn here.
  const encoded = new undici.Response(body as undici.BodyInit)
  return { body: new Uint8Array(await encoded.arrayBuffer()), type: encoded.headers.get('content-type') }
}

function isBytes(body: unknown): boolean {
  return typeof body === 'string' || ArrayBuffer.isView(body) || body instanceof ArrayBuffer
}
