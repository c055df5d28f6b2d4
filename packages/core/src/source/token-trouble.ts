import { errorType } from '../diagnostics/error-type.ts'
import type { Notice, Notices, NoticeTopic } from '../diagnostics/notices.ts'
import { ServerMetadataError, TokenRequestError, TokenResponseError } from '../errors.ts'
import { failureKind } from './failure.ts'
import type { CachedToken } from './token-cache.ts'

/** A token request that failed. */
export interface FailedRequest {
  readonly error: unknown
  /** The usable token at hand, with how much longer it may be used. */
  readonly held: { readonly entry: CachedToken; readonly usableMs: number } | undefined
  /** Whether every call asks for the same, rather than those of one subject. */
  readonly isForAll: () => boolean
}

/** Who is told of: never in metrics, since there may be any number. */
export interface WhoseTokens {
  readonly upstream: string | undefined
  readonly tenant: string | undefined
}

/** Tells an operator when tokens cannot be had, or soon could not be, and what to do about it. */
export class TokenTrouble {
  readonly #notices: Notices
  readonly #whose: WhoseTokens

  constructor(notices: Notices, whose: WhoseTokens) {
    this.#notices = notices
    this.#whose = whose
  }

  failed({ error, held, isForAll }: FailedRequest): void {
    const topic = topicOf(error, isForAll)
    if (topic === undefined) return
    // Trouble that passes by itself while a token is at hand is nobody's; the token's end is when it becomes somebody's.
    if (topic === 'server' && held !== undefined && !isAboutToEnd(held)) return
    const { code, cause, retryAt } = error as { code?: string; cause?: unknown; retryAt?: number }
    const usableMs = held === undefined ? 0 : Math.max(0, Math.round(held.usableMs))
    const { upstream, tenant } = this.#whose
    const fields = { upstream, tenant, code, errorType: errorType(error), reason: reasonOf(cause), retryAt, usableMs }
    const consequence =
      held === undefined
        ? 'There is no token: calls fail.'
        : `Calls go on with the token at hand for another ${Math.round(usableMs / 1000)} s.`
    const level = held === undefined || topic !== 'server' ? 'error' : 'warn'
    this.#notices.raise(topic, { level, fields, message: `${adviceOf(topic, error)} ${consequence}` } satisfies Notice)
  }

  /** The authorization server gave a token. */
  served(isForAll: () => boolean): void {
    if (!this.#notices.stands) return
    const topics: readonly NoticeTopic[] = isForAll() ? ['credential', 'server', 'request'] : ['credential', 'server']
    for (const topic of topics) this.#notices.settle(topic, this.#whose, 'The authorization server gives tokens again.')
  }
}

function topicOf(error: unknown, isForAll: () => boolean): 'credential' | 'request' | 'server' | undefined {
  if (isUnprepared(error)) return 'credential'
  const kind = failureKind(error)
  if (kind === 'transient') return 'server'
  if (kind === 'credential') return 'credential'
  // What is refused for one subject is that subject's trouble.
  return kind === 'request' && (error instanceof ServerMetadataError || isForAll()) ? 'request' : undefined
}

function adviceOf(topic: 'credential' | 'request' | 'server', error: unknown): string {
  if (topic === 'server') {
    return "The authorization server cannot be reached or is in trouble: check its health, and this service's way to it (DNS, proxy, firewall, TLS)."
  }
  if (isUnprepared(error)) {
    return "This service's credential cannot be read or used: check the file, function or key that oauth.clientAuth was given."
  }
  if (topic === 'credential') {
    return `The authorization server refuses this service's credential (${errorType(error)}): check oauth.clientId and oauth.clientAuth against the client's registration there, and whether the secret, key or certificate was rotated or has expired.`
  }
  if (error instanceof ServerMetadataError) {
    return "The authorization server's metadata cannot be used: check oauth.issuer and oauth.metadataUrl."
  }
  if (error instanceof TokenResponseError) {
    return "The authorization server's answers hold no token that can be used: check oauth.dpop and the type of token that the client is registered for."
  }
  return `The authorization server refuses what this service asks for (${errorType(error)}): check scope, resource, audience and grant, and what the client may have.`
}

/** Nothing was sent, and nothing else is known to be wrong. */
function isUnprepared(error: unknown): boolean {
  return error instanceof TokenRequestError && error.tokenEndpointStatus === undefined && error.error === undefined
}

// Half of the time in which it is renewed has passed without success, and at least one more try comes before its end.
function isAboutToEnd({ entry: { lifetime }, usableMs }: NonNullable<FailedRequest['held']>): boolean {
  return usableMs <= Math.min(300_000, (lifetime.usableForMs - lifetime.renewAfterMs) / 2)
}

// Such as ECONNREFUSED: a word of Node's or undici's, never of a server's.
function reasonOf(cause: unknown): string | undefined {
  const { code } = (cause ?? {}) as { readonly code?: unknown }
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,40}$/.test(code) ? code : undefined
}
