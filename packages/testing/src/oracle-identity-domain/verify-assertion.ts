import { X509Certificate } from 'node:crypto'

import { decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose'

import type { OracleApplication } from './application.ts'
import { genericIssuer, type Domain } from './domain.ts'

/** Why an assertion is not good. */
export class AssertionError extends Error {}

/** Checks what client assertions and user assertions have in common. Rejects with an AssertionError. */
export async function verifyAssertion(
  assertion: string,
  application: OracleApplication,
  domain: Domain,
): Promise<JWTPayload> {
  try {
    const certificate = signerOf(assertion, application)
    const { payload } = await jwtVerify(assertion, certificate.publicKey, {
      algorithms: ['RS256'],
      issuer: application.clientId,
      audience: [`${domain.url}/`, genericIssuer],
      requiredClaims: ['sub', 'exp', 'iat'],
      // Refuses an iat that is still to come.
      maxTokenAge: '10y',
    })
    useOnce(payload, application, domain)
    return payload
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) throw new AssertionError(error.message)
    throw error
  }
}

function signerOf(assertion: string, { certificates = [] }: OracleApplication): X509Certificate {
  const { typ, kid, x5t } = decodeProtectedHeader(assertion)
  if (typ !== 'JWT') throw new AssertionError('typ must be JWT')
  if (kid === undefined && x5t === undefined) throw new AssertionError('kid or x5t is required')
  for (const { alias, cert } of certificates) {
    const certificate = new X509Certificate(cert)
    const thumbprint = Buffer.from(certificate.fingerprint.replaceAll(':', ''), 'hex').toString('base64url')
    if ((kid ?? alias) === alias && (x5t ?? thumbprint) === thumbprint) return certificate
  }
  throw new AssertionError('no certificate is known by this kid or x5t')
}

function useOnce({ jti }: JWTPayload, { clientId }: OracleApplication, { usedAssertions }: Domain): void {
  if (jti === undefined) return
  const id = `${clientId} ${jti}`
  if (usedAssertions.has(id)) throw new AssertionError('jti was used before')
  usedAssertions.add(id)
}
