// oidc-provider ships no types. This is the part of it that the package uses, and no public type mentions it.
declare module 'oidc-provider/lib/provider.js' {
  import type { X509Certificate } from 'node:crypto'
  import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
  import type { Socket } from 'node:net'

  export interface ProviderContext {
    readonly method: string
    readonly path: string
    readonly headers: IncomingHttpHeaders
    readonly socket: Socket
    status: number
    body: unknown
    readonly oidc?: {
      /** The form as it was sent, before defaults are applied; missing if it could not be read. */
      readonly body?: Readonly<Record<string, string | readonly string[] | undefined>>
      /** The registered client, as soon as the request has named one. */
      readonly client?: ProviderClient
    }
  }

  /** The context of a token request that a grant handles. */
  export interface GrantContext extends ProviderContext {
    readonly oidc: {
      readonly params: Readonly<Record<string, string | undefined>>
      readonly requestParamScopes: ReadonlySet<string>
      readonly client: ProviderClient
      entity(name: string, value: object): void
      /** Names that the token endpoint may have in an assertion's `aud`. */
      clientJwtAuthExpectedAudience(): ReadonlySet<string>
    }
  }

  export interface ProviderClient {
    readonly clientId: string
    readonly clientAuthMethod: string
    readonly scope?: string
    readonly redirectUris: readonly string[]
    readonly jwks?: { readonly keys: object[] }
    grantTypeAllowed(grantType: string): boolean
  }

  export interface ResourceServer {
    readonly scopes: ReadonlySet<string>
  }

  export interface ProviderToken {
    readonly clientId: string
    readonly accountId?: string
    readonly expiration: number
    readonly tokenType: string
    readonly isExpired: boolean
    scope: string | undefined
    resourceServer: ResourceServer
    setThumbprint(kind: 'x5t' | 'jkt', value: string | X509Certificate): void
    /** Resolves to the token's value. */
    save(): Promise<string>
  }

  export interface ProviderGrant {
    addOIDCScope(scope: string): void
    addResourceScope(resource: string, scope: string): void
    /** Resolves to the grant's id. */
    save(): Promise<string>
  }

  interface TokenModel {
    new (properties: object): ProviderToken
    find(value: string): Promise<ProviderToken | undefined>
  }

  export class Provider {
    constructor(issuer: string, configuration: object)
    readonly issuer: string
    /** Koa's switch for not printing unexpected errors. */
    silent: boolean
    readonly Client: { find(clientId: string): Promise<ProviderClient | undefined> }
    readonly Grant: new (properties: object) => ProviderGrant
    readonly AccessToken: TokenModel
    readonly ClientCredentials: TokenModel
    readonly AuthorizationCode: TokenModel
    readonly RefreshToken: TokenModel
    readonly ResourceServer: new (identifier: string, information: object) => ResourceServer
    registerGrantType(
      name: string,
      handler: (context: GrantContext) => Promise<void>,
      parameters: readonly string[],
      repeatable?: readonly string[],
    ): void
    use(middleware: (context: ProviderContext, next: () => Promise<void>) => Promise<void>): this
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>
  }
}

declare module 'oidc-provider/lib/helpers/grants.js' {
  import type { X509Certificate } from 'node:crypto'
  import type { GrantContext, Provider, ResourceServer } from 'oidc-provider/lib/provider.js'

  interface Proof {
    readonly thumbprint: string
  }

  export function validateDpop(provider: Provider, context: GrantContext): Promise<Proof | undefined>
  export function checkDpopReplay(
    provider: Provider,
    context: GrantContext,
    proof: Proof | undefined,
    clientId: string,
  ): Promise<void>
  export function checkDpopRequired(provider: Provider, context: GrantContext, proof: Proof | undefined): void
  export function checkMtlsCert(provider: Provider, context: GrantContext): X509Certificate | undefined
  export function resolveRequestedResources(provider: Provider, context: GrantContext): Promise<ResourceServer[]>
  export function validateClientScope(
    provider: Provider,
    context: GrantContext,
    scopes: ReadonlySet<string>,
  ): ReadonlySet<string>
  export function buildTokenResponse(provider: Provider, answer: object): object
}

declare module 'oidc-provider/lib/helpers/errors.js' {
  export class InvalidGrant extends Error {
    constructor(detail: string)
  }
  export class InvalidRequest extends Error {
    constructor(description: string)
  }
  export class InvalidScope extends Error {
    constructor(description: string, scope: string)
  }
  export class InvalidTarget extends Error {
    constructor(description: string)
  }
}
