import { randomUUID } from 'node:crypto'
import type { SigningKey } from '../oauth/signing-key.ts'

/** What an assertion that is signed here says, by whatever key. */
export interface SignedAssertionOptions {
  /**
   * The assertion's `aud`. `'issuer'` (default): the issuer identifier alone, as a string. `'token-endpoint'` or
   * `'both'` for servers that want the endpoint's URL; any other string or array is sent as it is.
   */
  readonly audience?: 'issuer' | 'token-endpoint' | 'both' | (string & {}) | readonly string[] | undefined
  /**
   * The `typ` header. Default `client-authentication+jwt` for client authentication, `JWT` (RFC 7519 §5.1) for a grant;
   * `false` leaves it out. Some servers want `JWT` in any case.
   */
  readonly type?: string | false | undefined
  /** Life of an assertion in milliseconds, rounded up to seconds. Default 60 000; 1 000 to 3 600 000. */
  readonly expiresInMs?: number | undefined
}

/** One assertion to sign (RFC 7523 §3). */
export interface AssertionToSign {
  /** The authorization server's metadata, as far as it matters here. */
  readonly server: { readonly issuer: string; readonly token_endpoint?: string | undefined }
  readonly issuer: string
  readonly subject: string
  readonly key: SigningKey
  /** JOSE header parameters besides `alg` and `typ`. */
  readonly header?: Readonly<Record<string, string | undefined>>
  /** Claims besides those of RFC 7523. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  readonly signal?: AbortSignal | undefined
}

/** Makes assertions of one kind. */
export interface AssertionSigner {
  /** Does the issuer identifier stand in them? */
  readonly needsIssuer: boolean
  /** A new assertion: each has a `jti` of its own. */
  sign(assertion: AssertionToSign): Promise<string>
}

/** Throws a `TypeError` for a wrong option; `method` comes first in its message. */
export function assertionSigner(
  method: string,
  options: SignedAssertionOptions,
  defaultType: string = 'client-authentication+jwt',
): AssertionSigner {
  const { audience = 'issuer', type = defaultType, expiresInMs = 60_000 } = options
  const texts: readonly unknown[] = [audience].flat()
  if (texts.length === 0 || texts.some((text) => typeof text !== 'string' || text === '')) {
    throw new TypeError(`${method}: audience: expected 'issuer', 'token-endpoint', 'both', or audiences as strings`)
  }
  if (type !== false && (typeof type !== 'string' || type === '')) {
    throw new TypeError(`${method}: type: expected a non-empty string, or false`)
  }
  if (!Number.isFinite(expiresInMs) || expiresInMs < 1000 || expiresInMs > 3_600_000) {
    throw new TypeError(`${method}: expiresInMs: expected milliseconds from 1000 to 3600000`)
  }
  return {
    needsIssuer: audience === 'issuer' || audience === 'both',
    sign: ({ server, issuer, subject, key, header, claims, signal }) => {
      const now = Math.floor(Date.now() / 1000)
      const protectedHeader = { alg: key.algorithm, ...(type === false ? {} : { typ: type }), ...header }
      const payload = {
        ...claims,
        iss: issuer,
        sub: subject,
        aud: audienceFor(server, audience),
        jti: randomUUID(),
        iat: now,
        exp: now + Math.ceil(expiresInMs / 1000),
      }
      return key.sign(protectedHeader, payload, signal)
    },
  }
}

function audienceFor(
  server: AssertionToSign['server'],
  audience: NonNullable<SignedAssertionOptions['audience']>,
): string | string[] {
  const endpoint = server.token_endpoint ?? ''
  if (audience === 'issuer') return server.issuer
  if (audience === 'token-endpoint') return endpoint
  if (audience === 'both') return [server.issuer, endpoint]
  return typeof audience === 'string' ? audience : [...audience]
}
