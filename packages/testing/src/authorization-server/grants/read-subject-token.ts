import { errors, jwtVerify, type CryptoKey } from 'jose'
import type { Provider } from 'oidc-provider/lib/provider.js'

import type { SubjectTokenReader } from './token-exchange-grant.ts'

/** Reads access tokens of this server: JWTs by its own key, all others from its storage. */
export function createSubjectTokenReader(provider: Provider, publicKey: CryptoKey): SubjectTokenReader {
  return async (token) => {
    const stored = (await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token))
    if (stored !== undefined)
      return stored.isExpired ? undefined : toSubject(stored.accountId ?? stored.clientId, stored.scope)
    try {
      const { payload } = await jwtVerify(token, publicKey, {
        issuer: provider.issuer,
        typ: 'at+jwt',
        algorithms: ['ES256'],
      })
      return toSubject(payload.sub, payload['scope'])
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined
      throw error
    }
  }
}

function toSubject(sub: string | undefined, scope: unknown): { sub: string; scope?: string } | undefined {
  return sub === undefined ? undefined : { sub, ...(typeof scope === 'string' ? { scope } : {}) }
}
