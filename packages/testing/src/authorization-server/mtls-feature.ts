import { TLSSocket } from 'node:tls'

import type { ProviderContext } from 'oidc-provider/lib/provider.js'

import { clientCertificate, subjectOf } from '../certificates/issued-certificate.ts'

/** oidc-provider's feature of that name, over certificates that the connection itself has seen. */
export const mtlsFeature = {
  enabled: true,
  certificateBoundAccessTokens: true,
  selfSignedTlsClientAuth: true,
  tlsClientAuth: true,
  getCertificate: ({ socket }: ProviderContext) => clientCertificate(socket),
  certificateAuthorized: ({ socket }: ProviderContext) => socket instanceof TLSSocket && socket.authorized,
  certificateSubjectMatches: ({ socket }: ProviderContext, property: string, expected: string): boolean => {
    const certificate = clientCertificate(socket)
    if (certificate === undefined) return false
    if (property === 'tls_client_auth_subject_dn') return subjectOf(certificate) === expected
    const kind = property.replace('tls_client_auth_san_', '')
    return certificate.subjectAltName?.split(', ').includes(`${prefixes[kind]}:${expected}`) ?? false
  },
}

// As Node.js writes them.
const prefixes: Readonly<Record<string, string>> = { dns: 'DNS', uri: 'URI', email: 'email', ip: 'IP Address' }
