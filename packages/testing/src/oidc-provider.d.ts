// oidc-provider ships no types. This is the part of it that the package uses, and no public type mentions it.
declare module 'oidc-provider/lib/provider.js' {
  import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'

  export interface ProviderContext {
    readonly method: string
    readonly path: string
    readonly headers: IncomingHttpHeaders
    status: number
    body: unknown
    readonly oidc?: {
      /** The form as it was sent, before defaults are applied; missing if it could not be read. */
      readonly body?: Readonly<Record<string, string | readonly string[] | undefined>>
      /** The registered client, as soon as the request has named one. */
      readonly client?: { readonly clientId: string }
    }
  }

  export class Provider {
    constructor(issuer: string, configuration: object)
    /** Koa's switch for not printing unexpected errors. */
    silent: boolean
    readonly Client: { find(clientId: string): Promise<object | undefined> }
    use(middleware: (context: ProviderContext, next: () => Promise<void>) => Promise<void>): this
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>
  }
}
