import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createAuthorizationServer,
  createOracleIdentityDomain,
  createProtectedApi,
  type OracleIdentityDomain,
  type ProtectedApi,
} from '@tokenwell/testing'
import { SignJWT } from 'jose'
import { Agent } from 'undici'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  clientAssertion,
  clientSecretBasic,
  clientSecretJwt,
  clientSecretPost,
  createUpstream,
  privateKeyJwt,
  tlsClientAuth,
  TokenRequestError,
  type ClientAuth,
  type OAuthOptions,
} from '../../src/index.ts'
import { documented, markdownTable } from '../document-table.ts'

const keyAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const
const secretAlgorithms = ['HS256', 'HS384', 'HS512'] as const

type Server = Awaited<ReturnType<typeof startServer>>
const startServer = () => createAuthorizationServer({ tls: true })

let server: Server
let api: ProtectedApi
let oracle: OracleIdentityDomain
let folder: string

beforeAll(async () => {
  server = await startServer()
  api = await createProtectedApi({ ...server, tls: server.certificateAuthority })
  oracle = await createOracleIdentityDomain()
  folder = await mkdtemp(join(tmpdir(), 'assertion-'))
})
afterAll(async () => {
  await Promise.all([server.close(), api.close(), oracle.close(), rm(folder, { recursive: true })])
})

interface Case {
  readonly clientId: string
  readonly clientAuth: ClientAuth
  readonly oauth?: Partial<OAuthOptions>
  /** Shown to the API as well. */
  readonly certificate?: { readonly cert: string; readonly key: string }
}

/** One line of the table: the same thing by several algorithms behaves alike, or the line says so. */
interface Row {
  readonly method: string
  readonly cases: () => readonly Case[] | Promise<readonly Case[]>
  /** The same with Oracle's identity domain, where it knows the method. */
  readonly oracle?: () => readonly Case[]
}

const rows: readonly Row[] = [
  {
    method: '`clientSecretBasic(secret)`',
    cases: () => [
      { clientId: server.clients.basic.clientId, clientAuth: clientSecretBasic(server.clients.basic.secret) },
    ],
    oracle: () => [application(clientSecretBasic(oracle.applications.confidential.secret))],
  },
  {
    method: '`clientSecretPost(secret)`',
    cases: () => [{ clientId: server.clients.post.clientId, clientAuth: clientSecretPost(server.clients.post.secret) }],
    oracle: () => [application(clientSecretPost(oracle.applications.confidential.secret))],
  },
  {
    method: `\`clientSecretJwt(secret)\`, ${secretAlgorithms.join(', ')}`,
    cases: () =>
      secretAlgorithms.map((algorithm) => {
        const { clientId, secret } = server.clients.byAlgorithm[algorithm]
        return { clientId, clientAuth: clientSecretJwt(secret, { algorithm }) }
      }),
  },
  {
    method: `\`privateKeyJwt(key)\`, ${keyAlgorithms.join(', ')}`,
    cases: () =>
      keyAlgorithms.map((algorithm) => {
        const { clientId, privateJwk } = server.clients.byAlgorithm[algorithm]
        return { clientId, clientAuth: privateKeyJwt(privateJwk, { algorithm }) }
      }),
    oracle: () => [
      application(
        privateKeyJwt(certificateOf().key, {
          ...forOracle(),
          keyId: oracle.applications.confidential.certificateAlias,
        }),
      ),
      application(privateKeyJwt(certificateOf().key, { ...forOracle(), x5t: { certificate: certificateOf().cert } })),
    ],
  },
  {
    method: '`privateKeyJwt(key)`, another algorithm than the registered one',
    cases: () => {
      const { clientId, privateJwk } = server.clients.byAlgorithm.RS256
      const { alg: _, ...key } = privateJwk
      return [{ clientId, clientAuth: privateKeyJwt(key, { algorithm: 'PS256' }) }]
    },
    oracle: () => [
      application(
        privateKeyJwt(certificateOf().key, {
          ...forOracle(),
          algorithm: 'PS256',
          keyId: oracle.applications.confidential.certificateAlias,
        }),
      ),
    ],
  },
  {
    method: '`clientAssertion({ file })`',
    cases: async () => {
      const { clientId, privateKey, algorithm, publicJwk } = server.clients.byAlgorithm.ES256
      const assertion = await new SignJWT({ jti: 'of-a-file' })
        .setProtectedHeader({ alg: algorithm, ...(publicJwk.kid === undefined ? {} : { kid: publicJwk.kid }) })
        .setIssuer(clientId)
        .setSubject(clientId)
        .setAudience(server.issuer)
        .setIssuedAt()
        .setExpirationTime('1 minute')
        .sign(privateKey)
      const file = join(folder, 'assertion')
      await writeFile(file, `${assertion}\n`)
      return [{ clientId, clientAuth: clientAssertion({ file }) }]
    },
  },
  {
    method: '`tlsClientAuth({ cert, key })`',
    cases: () => {
      const { clientId, certificate } = server.certificateClients.tlsClientAuth
      return [{ clientId, clientAuth: tlsClientAuth({ ...certificate, ca: server.ca }) }]
    },
  },
  {
    method: "`tlsClientAuth({ cert, key }, { method: 'self_signed_tls_client_auth' })`",
    cases: () => {
      const { clientId, certificate } = server.certificateClients.selfSignedTlsClientAuth
      const method = 'self_signed_tls_client_auth'
      return [{ clientId, clientAuth: tlsClientAuth({ ...certificate, ca: server.ca }, { method }) }]
    },
  },
  {
    method: '`tlsClientAuth`, token bound to the certificate',
    cases: () => {
      const { clientId, certificate } = server.certificateClients.certificateBound
      return [{ clientId, clientAuth: tlsClientAuth({ ...certificate, ca: server.ca }), certificate }]
    },
  },
  {
    method: '`tlsClientAuth`, token bound to the certificate, which the API is not shown',
    cases: () => {
      const { clientId, certificate } = server.certificateClients.certificateBound
      return [{ clientId, clientAuth: tlsClientAuth({ ...certificate, ca: server.ca }) }]
    },
  },
  {
    method: '`clientSecretBasic`, token bound to a key: `dpop: true`',
    cases: () => [boundCase({ dpop: true })],
  },
  {
    method: '`clientSecretBasic`, the server wants a DPoP proof and `dpop` is off',
    cases: () => [boundCase({})],
  },
]

it('the README has the table of methods, servers and results', async () => {
  const head = ['client authentication', 'oidc-provider: token', 'API: call', "Oracle's identity domain (double)"]
  const lines = []
  for (const { method, cases, oracle: ofOracle } of rows) {
    const results = await Promise.all((await cases()).map(atServer))
    const there = await Promise.all((ofOracle?.() ?? []).map(atOracle))
    lines.push([method, said(results.map(({ token }) => token)), said(results.map(({ call }) => call)), said(there)])
  }
  const { found, expected } = await documented(
    new URL('../../README.md', import.meta.url),
    'methods',
    markdownTable(head, lines),
  )
  expect(found).toBe(expected)
})

/** What all of them came to: one word, if they agree. */
function said(words: readonly string[]): string {
  return words.length === 0 ? '–' : [...new Set(words)].join(', ')
}

async function atServer({ clientId, clientAuth, oauth, certificate }: Case): Promise<{ token: string; call: string }> {
  const { ca } = server
  const trusting = new Agent({ connect: { ca } })
  const toApi = new Agent({ connect: { ca, ...(certificate && { cert: certificate.cert, key: certificate.key }) } })
  const upstream = createUpstream({
    baseUrl: api.url,
    dispatcher: toApi,
    oauth: {
      issuer: server.issuer,
      clientId,
      clientAuth,
      scope: 'invoices:read',
      // A method that shows a certificate has connections of its own, and the authority in its own options.
      ...(clientAuth.mutualTls === undefined ? { dispatcher: trusting } : {}),
      ...oauth,
    },
  })
  try {
    const token = await upstream.tokens.get().then(({ tokenType }) => tokenType, refusalOf)
    const call = token === 'Bearer' || token === 'DPoP' ? `${(await upstream.fetch('/invoices')).status}` : '–'
    return { token, call }
  } finally {
    await Promise.all([upstream.close(), trusting.close(), toApi.close()])
  }
}

async function atOracle({ clientId, clientAuth }: Case): Promise<string> {
  const oauth = {
    issuer: 'https://identity.oraclecloud.com/',
    metadataUrl: oracle.metadataUrl,
    clientId,
    clientAuth,
    scope: 'urn:opc:idm:__myscopes__',
  }
  await using upstream = createUpstream({ baseUrl: 'https://api.example', oauth })
  return await upstream.tokens.get().then(({ tokenType }) => tokenType, refusalOf)
}

const refusalOf = (error: unknown): string => {
  if (error instanceof TokenRequestError) return `\`${error.error}\``
  throw error
}

function application(clientAuth: ClientAuth): Case {
  return { clientId: oracle.applications.confidential.clientId, clientAuth }
}

function certificateOf() {
  return oracle.applications.confidential.certificate
}

function forOracle() {
  return { audience: ['https://identity.oraclecloud.com/'], type: 'JWT' }
}

function boundCase(oauth: Partial<OAuthOptions>): Case {
  const { clientId, secret } = server.clients.dpop
  return { clientId, clientAuth: clientSecretBasic(secret), oauth }
}
