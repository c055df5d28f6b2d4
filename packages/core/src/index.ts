export { createUpstreams } from './upstreams.ts'
export type {
  BoundUpstreams,
  Register,
  RegisteredUpstreams,
  RequestUpstreams,
  UpstreamDefaults,
  Upstreams,
  UpstreamsMembers,
} from './upstreams.ts'
export { createUpstream } from './upstream.ts'
export type { Upstream } from './upstream.ts'
export { createTokenSource } from './create-token-source.ts'
export type { OAuthOptions, RetryOptions, UpstreamOptions } from './options.ts'
export { clientSecretBasic } from './client-auth/client-secret-basic.ts'
export type { ClientSecretBasicOptions } from './client-auth/client-secret-basic.ts'
export { clientSecretPost } from './client-auth/client-secret-post.ts'
export { privateKeyJwt } from './client-auth/private-key-jwt.ts'
export type { PrivateKeyJwtOptions } from './client-auth/private-key-jwt.ts'
export type { PrivateKey } from './client-auth/private-key.ts'
export { clientCredentials } from './grants/client-credentials.ts'
export type { ClientCredentialsOptions, Contextual } from './grants/client-credentials.ts'
export type { CallContext } from './context/call-context.ts'
export type { RequestContext, RequestContextOptions } from './context/request-context.ts'
export type { RequestOptions, UpstreamRequest } from './http/connect-upstream.ts'
export type { Fetch } from './http/fetch.ts'
export { authorize } from './http/authorize.ts'
export type { AuthorizeOptions } from './http/authorize.ts'
export {
  OriginNotAllowedError,
  OverloadError,
  PathNotAllowedError,
  ServerMetadataError,
  TokenEndpointUnreachableError,
  TokenRequestError,
  TokenResponseError,
  TokenwellError,
  UpstreamClosedError,
  UpstreamTimeoutError,
} from './errors.ts'

// For writers of adapters, token sources, caches, grants and client authentication.
export type { ClientAuth, Secret } from './oauth/client-auth.ts'
export type { AuthorizationDetail, ExtraParameters, Grant, TokenParameters } from './grants/grant.ts'
export { createAccessToken } from './oauth/access-token.ts'
export type { AccessToken, AccessTokenFields } from './oauth/access-token.ts'
export type { OneOrMany } from './oauth/scope.ts'
export type { GetTokenOptions, TokenSource } from './source/token-source.ts'
export type { CachedToken, MaybePromise, TokenCache } from './source/token-cache.ts'
export { memoryTokenCache } from './source/memory-token-cache.ts'
export type { MemoryTokenCache, MemoryTokenCacheOptions } from './source/memory-token-cache.ts'
export type { Instant, Lifetime, RenewalOptions } from './source/lifetime.ts'
export type { Clock } from './clock.ts'
