export { createUpstreams } from './upstreams.ts'
export type {
  BoundUpstreams,
  Register,
  RegisteredUpstreams,
  RequestUpstreams,
  UpstreamDefaults,
  Upstreams,
  UpstreamsHealth,
  UpstreamsMembers,
} from './upstreams.ts'
export { createUpstream } from './upstream.ts'
export type { Upstream } from './upstream.ts'
export { createTokenSource } from './create-token-source.ts'
export type { OAuthByTenant, OAuthOptions, RetryOptions, UpstreamOptions } from './options.ts'
export { clientSecretBasic } from './client-auth/client-secret-basic.ts'
export type { ClientSecretBasicOptions } from './client-auth/client-secret-basic.ts'
export { clientSecretPost } from './client-auth/client-secret-post.ts'
export { clientSecretJwt } from './client-auth/client-secret-jwt.ts'
export type { ClientSecretJwtOptions } from './client-auth/client-secret-jwt.ts'
export { privateKeyJwt } from './client-auth/private-key-jwt.ts'
export type { PrivateKeyJwtOptions } from './client-auth/private-key-jwt.ts'
export type { KeyAssertionOptions } from './credentials/key-assertion.ts'
export type { SignedAssertionOptions } from './credentials/signed-assertion.ts'
export type { SigningKeySource } from './credentials/signing-key-reader.ts'
export type { PrivateKey } from './oauth/private-key.ts'
export type { ExternalSigner } from './oauth/signing-key.ts'
export { clientAssertion } from './client-auth/client-assertion.ts'
export type {
  AssertionProvider,
  AssertionRequest,
  ClientAssertionOptions,
  ProvidedAssertion,
} from './client-auth/client-assertion.ts'
export { tlsClientAuth } from './client-auth/tls-client-auth.ts'
export type { TlsClientAuthOptions } from './client-auth/tls-client-auth.ts'
export type { TlsCertificate, TlsCertificateSource } from './client-auth/certificate-reader.ts'
export { none } from './client-auth/none.ts'
export { clientCredentials } from './grants/client-credentials.ts'
export type { ClientCredentialsOptions } from './grants/client-credentials.ts'
export { jwtBearer } from './grants/jwt-bearer.ts'
export type { JwtBearerOptions, SignedJwtBearerOptions } from './grants/jwt-bearer.ts'
export { refreshToken } from './grants/refresh-token.ts'
export type { RefreshTokenOptions } from './grants/refresh-token.ts'
export { tokenExchange } from './grants/token-exchange.ts'
export type { TokenExchangeOptions } from './grants/token-exchange.ts'
export { authorizationCode } from './grants/authorization-code.ts'
export type { AuthorizationCodeOptions } from './grants/authorization-code.ts'
export type { AccessOptions, Contextual } from './grants/access-options.ts'
export type { GrantSecret } from './grants/grant-secret.ts'
export type { OnRotated } from './grants/refresh-token-chain.ts'
export { oracleIdentityDomain } from './providers/oracle-identity-domain.ts'
export type { OracleIdentityDomainOptions } from './providers/oracle-identity-domain.ts'
export type { CallContext, Log, LogMethod } from './context/call-context.ts'
export type { RequestContext, RequestContextOptions } from './context/request-context.ts'
export type { RequestOptions, UpstreamRequest } from './http/connect-upstream.ts'
export type { Fetch } from './http/fetch.ts'
export { authorize } from './http/authorize.ts'
export type { AuthorizeOptions } from './http/authorize.ts'
export {
  CallContextError,
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
  UpstreamUnreachableError,
} from './errors.ts'

// For writers of adapters, token sources, caches, grants and client authentication.
export type {
  AssertionDefaults,
  ClientAuth,
  ClientAuthAttempt,
  CredentialFile,
  CredentialProvider,
  CredentialUsed,
  Secret,
  Secrets,
  Versioned,
} from './oauth/client-auth.ts'
export type { ClientCertificate, MutualTls } from './oauth/client-certificate.ts'
export type {
  AuthorizationDetail,
  ExtraParameters,
  Grant,
  GrantCredentials,
  GrantRequest,
  SendingEnd,
  TokenParameters,
} from './grants/grant.ts'
export { createAccessToken } from './oauth/access-token.ts'
export type { AccessToken, AccessTokenFields } from './oauth/access-token.ts'
export type { OneOrMany } from './oauth/scope.ts'
export type { Health, HealthStatus } from './source/health.ts'
export type { GetTokenOptions, TokenSource } from './source/token-source.ts'
export type {
  CachedToken,
  LeaseAnswer,
  MaybePromise,
  TokenCache,
  TokenLease,
  TokenLeases,
  TokenWrite,
} from './source/token-cache.ts'
export { memoryTokenCache } from './source/memory-token-cache.ts'
export type { MemoryTokenCache, MemoryTokenCacheOptions } from './source/memory-token-cache.ts'
export type { Instant, Lifetime, RenewalOptions } from './source/lifetime.ts'
export type { Clock } from './clock.ts'
export type {
  CacheEntriesEvent,
  CacheOperationEvent,
  LeaseWaitEvent,
  TokenAcquireEvent,
  TokenHitEvent,
  TokenRenewalEvent,
  TokenRequestEvent,
  TokenwellChannels,
  UpstreamRefusedEvent,
  UpstreamReplayEvent,
} from './diagnostics/channels.ts'
