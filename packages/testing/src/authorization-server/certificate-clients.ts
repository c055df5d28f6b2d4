import type { CertificateAuthority } from '../certificates/certificate-authority.ts'
import type { IssuedCertificate } from '../certificates/issued-certificate.ts'
import type { ClientDefinition } from './client-definition.ts'

/** A registered client that authenticates by a certificate. */
export interface CertificateClient {
  readonly clientId: string
  readonly method: 'tls_client_auth' | 'self_signed_tls_client_auth'
  readonly certificate: IssuedCertificate
}

/** The clients that an authorization server with TLS has registered besides the others. */
export interface CertificateClients {
  /** `tls_client_auth`, known by its distinguished name. */
  readonly tlsClientAuth: CertificateClient
  /** `self_signed_tls_client_auth`. */
  readonly selfSignedTlsClientAuth: CertificateClient
  /** `tls_client_auth`; its tokens are bound to its certificate. */
  readonly certificateBound: CertificateClient
}

/** Has the certificates of the clients issued. */
export async function createCertificateClients(authority: CertificateAuthority): Promise<CertificateClients> {
  const create = async (
    clientId: string,
    method: CertificateClient['method'],
    selfSigned = false,
  ): Promise<CertificateClient> => ({
    clientId,
    method,
    certificate: await authority.issue({ commonName: clientId, usage: 'client', selfSigned }),
  })
  return {
    tlsClientAuth: await create('orders-tls', 'tls_client_auth'),
    selfSignedTlsClientAuth: await create('orders-self-signed', 'self_signed_tls_client_auth', true),
    certificateBound: await create('orders-bound', 'tls_client_auth'),
  }
}

/** The definitions by which those clients are registered. */
export function toCertificateDefinitions(clients: CertificateClients): ClientDefinition[] {
  return Object.values(clients).map((client: CertificateClient) => {
    const { clientId, method, certificate } = client
    return {
      clientId,
      method,
      ...(method === 'tls_client_auth'
        ? { certificateSubject: { dn: certificate.subject } }
        : { certificates: [certificate.cert] }),
      certificateBoundTokens: client === clients.certificateBound,
    }
  })
}
