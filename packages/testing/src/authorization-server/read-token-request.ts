import type { IncomingHttpHeaders } from 'node:http'

import type { ProviderContext } from 'oidc-provider/lib/provider.js'

import { clientCertificate, thumbprintOf } from '../certificates/issued-certificate.ts'
import { defined } from '../defined.ts'
import { decodeUnchecked, type DecodedJwt } from '../jwt/decoded-jwt.ts'
import type { ClientMethod } from './client-definition.ts'
import type { ClientAuthMethod, TokenRequestRecord } from './token-request-record.ts'

/** The record of the request that `context` has answered. */
export function toTokenRequestRecord(context: ProviderContext, at: number): TokenRequestRecord {
  const { headers, status } = context
  const form = context.oidc?.body ?? {}
  const certificate = clientCertificate(context.socket)
  return defined({
    clientId: context.oidc?.client?.clientId ?? claimedClientId(form, headers),
    grantType: single(form['grant_type']),
    scope: single(form['scope']),
    resource: [form['resource'] ?? []].flat(),
    clientAuthMethod: clientAuthMethod(context, form),
    clientAssertion: decoded(form['client_assertion']),
    assertion: decoded(form['assertion']),
    dpopProof: decoded(headers['dpop']),
    certificateThumbprint: certificate && thumbprintOf(certificate),
    status,
    error: errorCode(context.body),
    at,
  })
}

type Form = NonNullable<NonNullable<ProviderContext['oidc']>['body']>

function clientAuthMethod({ headers, socket, oidc }: ProviderContext, form: Form): ClientAuthMethod {
  const methods: ClientMethod[] = []
  if (basicCredentials(headers) !== undefined) methods.push('client_secret_basic')
  if (form['client_secret'] !== undefined) methods.push('client_secret_post')
  const assertion = decoded(form['client_assertion'])
  if (assertion !== undefined) {
    methods.push(String(assertion.header['alg']).startsWith('HS') ? 'client_secret_jwt' : 'private_key_jwt')
  }
  if (methods.length > 1) return 'multiple'
  if (methods[0] !== undefined) return methods[0]
  // A certificate alone does not say which of the two methods it is meant for.
  const registered = oidc?.client?.clientAuthMethod
  const byCertificate = registered === 'tls_client_auth' || registered === 'self_signed_tls_client_auth'
  return byCertificate && clientCertificate(socket) !== undefined ? registered : 'none'
}

function claimedClientId(form: Form, headers: IncomingHttpHeaders): string | undefined {
  const subject = decoded(form['client_assertion'])?.claims['sub']
  return (
    single(form['client_id']) ??
    basicCredentials(headers)?.split(':', 1)[0] ??
    (typeof subject === 'string' ? subject : undefined)
  )
}

function basicCredentials(headers: IncomingHttpHeaders): string | undefined {
  const encoded = /^basic +(.*)$/i.exec(headers.authorization ?? '')?.[1]
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8')
}

function decoded(jwt: string | readonly string[] | undefined): DecodedJwt | undefined {
  const text = single(jwt)
  return text === undefined ? undefined : decodeUnchecked(text)
}

function errorCode(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('error' in body)) return undefined
  return String(body.error)
}

function single(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.join(' ')
}
