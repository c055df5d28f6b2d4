import { createServer, type RequestListener } from 'node:http'
import { inspect } from 'node:util'
import { clientSecretBasic, createUpstream, TokenwellError, type Upstream } from '@tokenwell/core'
import {
  createAuthorizationServer,
  createProtectedApi,
  createScriptedServer,
  type AuthorizationServer,
  type ProtectedApi,
  type Reply,
  type ScriptedServer,
} from '@tokenwell/testing'
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest'
import { startGateway } from '../src/servers/gateway.ts'
import { listen, stop, urlOf } from '../src/servers/listen.ts'

/** What a library is pointed at. */
export interface Target {
  readonly fetch: Upstream['fetch']
  readonly baseUrl: string
}

/** A request as whoever answered it saw it. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string | Buffer
  readonly status: number
}

/** A target whose upstream gets its tokens from a real authorization server. */
export interface Setting extends Target {
  readonly upstream: Upstream
  readonly server: AuthorizationServer
  /** Token requests of this setting. */
  tokenRequests(): number
}

/** What differs from an upstream where all is well. */
export interface SettingOptions {
  readonly scope?: string
  readonly secret?: string
}

let shared: AuthorizationServer
// One for a file: its keys take a while to be made.
beforeAll(async () => {
  shared = await createAuthorizationServer()
})
afterAll(() => shared.close())

function settingAt(baseUrl: string, { scope = 'invoices:read', secret }: SettingOptions): Setting {
  const { issuer, clients, tokenRequestCount: before } = shared
  const { basicPlain: client } = clients
  const upstream = createUpstream({
    name: 'billing',
    baseUrl,
    oauth: { issuer, clientId: client.clientId, clientAuth: clientSecretBasic(secret ?? client.secret), scope },
  })
  onTestFinished(() => upstream.close())
  const { fetch } = upstream
  return { fetch, baseUrl, upstream, server: shared, tokenRequests: () => shared.tokenRequestCount - before }
}

/** A real API, and `serve` behind it if there is one. */
export async function realSetting(
  serve?: RequestListener,
  options: SettingOptions = {},
): Promise<Setting & { readonly api: ProtectedApi; readonly requests: readonly SeenRequest[] }> {
  const api = await createProtectedApi({ ...shared, requiredScope: 'invoices:read' })
  onTestFinished(() => api.close())
  if (serve === undefined) return { ...settingAt(`${api.url}/v1`, options), api, requests: api.requests }
  const gateway = await startGateway(api, serve)
  onTestFinished(() => gateway.close())
  return { ...settingAt(gateway.url, options), api, requests: gateway.requests }
}

/** An API that does as it is told and asks for no token. */
export async function scriptedSetting(
  ...replies: readonly Reply[]
): Promise<Setting & { readonly api: ScriptedServer }> {
  const api = await createScriptedServer()
  api.respondWith(...replies)
  onTestFinished(() => api.close())
  return { ...settingAt(`${api.url}/v1`, {}), api }
}

/** An API that does what `handler` does and asks for no token. */
export async function servedSetting(handler: RequestListener): Promise<Setting> {
  const server = await listen(createServer(handler))
  onTestFinished(() => stop(server))
  return settingAt(`${urlOf(server)}/v1`, {})
}

/** What a promise rejected with; fails the test if it did not. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('it did not reject'),
    (error: unknown) => error,
  )
}

/** The first error of ours among an error and its causes. */
export function tokenwellErrorIn(error: unknown): TokenwellError | undefined {
  if (error instanceof TokenwellError) return error
  return error instanceof Error ? tokenwellErrorIn(error.cause) : undefined
}

/** What any log may make of it. */
export function everyForm(error: unknown): string {
  const hidden = inspect(error, { depth: 20, showHidden: true, getters: true })
  const causes = error instanceof Error ? [error.stack, String(error), everyForm(error.cause)] : []
  return [hidden, JSON.stringify(error), ...causes].join('\n')
}

/** A form with a file. */
export function formWithFile(): FormData {
  const form = new FormData()
  form.set('customer', 'Zoë')
  form.set('file', new File(['content'], 'invoice.txt', { type: 'text/plain' }))
  return form
}

/** Fails the test unless a single request has arrived, with {@link formWithFile} whole. */
export function expectForm(requests: readonly SeenRequest[]): void {
  expect(requests).toMatchObject([{ method: 'POST', status: 200 }])
  const { headers, body } = requests[0] ?? expect.fail()
  const boundary = /^multipart\/form-data; boundary=(.+)$/.exec(String(headers['content-type']))?.[1]
  const parts = String(body).split(`--${boundary}`)
  expect(parts).toHaveLength(4)
  expect(parts[1]).toMatch(/name="customer"\r\n\r\nZoë\r\n$/)
  expect(parts[2]).toMatch(/name="file"; filename="invoice.txt"\r\nContent-Type: text\/plain\r\n\r\ncontent\r\n$/i)
  expect(parts[3]).toMatch(/^--/)
}
