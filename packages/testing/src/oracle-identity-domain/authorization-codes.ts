import { randomBytes } from 'node:crypto'

import type { OracleApplication } from './application.ts'
import { badRequest } from './oracle-error.ts'

/** What a user has consented to, as if in a browser. */
export interface OracleConsent {
  readonly clientId: string
  /** One of the domain's users. */
  readonly user: string
  /** Default: `openid`. */
  readonly scope?: string
  /** Default: the first of the application's. */
  readonly redirectUri?: string
}

/** The authorization codes of one domain. */
export interface AuthorizationCodes {
  issue(consent: OracleConsent, redirectUri: string): string
  /** Throws an OracleError, `invalid_grant`, unless the code is good; it is used up in any case. */
  redeem(form: URLSearchParams, application: OracleApplication): { user: string; scope: string }
}

const lifetimeMs = 60_000

/** Starts without any. */
export function createAuthorizationCodes(): AuthorizationCodes {
  const codes = new Map<string, OracleConsent & { redirectUri: string; expiresAt: number }>()
  return {
    issue(consent, redirectUri) {
      const code = randomBytes(32).toString('base64url')
      codes.set(code, { ...consent, redirectUri, expiresAt: Date.now() + lifetimeMs })
      return code
    },
    redeem(form, { clientId }) {
      const code = form.get('code') ?? ''
      const consent = codes.get(code)
      codes.delete(code)
      if (
        consent?.clientId !== clientId ||
        consent.redirectUri !== form.get('redirect_uri') ||
        consent.expiresAt <= Date.now()
      ) {
        throw badRequest('invalid_grant', 'the authorization code is not good')
      }
      return { user: consent.user, scope: consent.scope ?? 'openid' }
    },
  }
}
