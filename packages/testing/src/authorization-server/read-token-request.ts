import type { IncomingHttpHeaders } from 'node:http'

import type { ProviderContext } from 'oidc-provider/lib/provider.js'

import type { ClientMethod } from './client-definition.ts'
import type { ClientAuthMethod, TokenRequestRecord } from './token-request-record.ts'

/** The record of the request that `context` has answered. */
export function toTokenRequestRecord(context: ProviderContext, at: number): TokenRequestRecord {
  const form = context.oidc?.body ?? {}
  const clientId = context.oidc?.client?.clientId ?? claimedClientId(form, context.headers)
  const grantType = single(form['grant_type'])
  const scope = single(form['scope'])
  return {
    ...(clientId === undefined ? {} : { clientId }),
    ...(grantType === undefined ? {} : { grantType }),
    ...(scope === undefined ? {} : { scope }),
    resource: [form['resource'] ?? []].flat(),
    clientAuthMethod: clientAuthMethod(form, context.headers),
    status: context.status,
    at,
  }
}

type Form = NonNullable<NonNullable<ProviderContext['oidc']>['body']>

function clientAuthMethod(form: Form, headers: IncomingHttpHeaders): ClientAuthMethod {
  const methods: ClientMethod[] = []
  if (basicCredentials(headers) !== undefined) methods.push('client_secret_basic')
  if (form['client_secret'] !== undefined) methods.push('client_secret_post')
  const assertion = single(form['client_assertion'])
  if (assertion !== undefined) {
    const symmetric = String(jsonPart(assertion, 0)['alg']).startsWith('HS')
    methods.push(symmetric ? 'client_secret_jwt' : 'private_key_jwt')
  }
  return methods.length > 1 ? 'multiple' : (methods[0] ?? 'none')
}

function claimedClientId(form: Form, headers: IncomingHttpHeaders): string | undefined {
  const inForm = single(form['client_id'])
  if (inForm !== undefined) return inForm
  const inHeader = basicCredentials(headers)?.split(':', 1)[0]
  if (inHeader !== undefined) return inHeader
  const assertion = single(form['client_assertion'])
  const subject = assertion === undefined ? undefined : jsonPart(assertion, 1)['sub']
  return typeof subject === 'string' ? subject : undefined
}

function basicCredentials(headers: IncomingHttpHeaders): string | undefined {
  const encoded = /^basic +(.*)$/i.exec(headers.authorization ?? '')?.[1]
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8')
}

function jsonPart(jwt: string, index: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(jwt.split('.')[index] ?? '', 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function single(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.join(' ')
}
