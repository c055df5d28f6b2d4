import type { IncomingMessage, Server } from 'node:http'
import type { AddressInfo } from 'node:net'

import type { Servers } from './servers.ts'
import type { CallContext, RequestContextOptions, Upstream, Upstreams } from '@tokenwell/core'

/** What every framework's request has. */
export type ContextOf = (request: Pick<IncomingMessage, 'headers'>) => CallContext

export interface AdapterOptions extends RequestContextOptions {
  readonly context?: ContextOf
  readonly warmUp?: 'background' | 'required' | 'off'
}

/** A service to start: it reads JSON bodies and answers requests to /orders/42 with what `handler` resolves to, as JSON. */
export interface ServiceSetup {
  readonly upstreams: Upstreams<'billing'>
  readonly options?: AdapterOptions
  readonly handler?: (billing: Upstream) => Promise<unknown>
  /** Is told what arrives at the framework's error path. */
  readonly onError?: (error: unknown) => void
}

export interface Service extends AsyncDisposable {
  /** Listens on 127.0.0.1. */
  readonly server: Server
}

export type StartService = (setup: ServiceSetup) => Promise<Service>

/** In what frameworks differ. */
export interface FrameworkTraits {
  /** Whether the service answers a failed request with the error's `headers`, such as `retry-after`. Default false. */
  readonly sendsErrorHeaders?: boolean
}

/** What each topic of the suite is given. */
export interface Suite extends Required<FrameworkTraits> {
  /** Called for each test. */
  readonly start: StartService
  /** There while tests run. */
  readonly servers: Servers
}

export function portOf({ server }: Service): number {
  return (server.address() as AddressInfo).port
}

export function urlOf(service: Service): string {
  return `http://127.0.0.1:${portOf(service)}/orders/42`
}
