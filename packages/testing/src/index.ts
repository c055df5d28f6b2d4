export { createAuthorizationServer } from './authorization-server/authorization-server.ts'
export type { CertificateClient, CertificateClients } from './authorization-server/certificate-clients.ts'
export type { CertificateSubject, ClientDefinition, ClientMethod } from './authorization-server/client-definition.ts'
export type { AccessTokenConsent, CodeConsent, Consent } from './authorization-server/consent.ts'
export type { GrantType } from './authorization-server/grant-type.ts'
export type {
  AuthorizationServer,
  AuthorizationServerOptions,
  TlsAuthorizationServer,
} from './authorization-server/options.ts'
export type {
  ClientsByAlgorithm,
  PrivateKeyClient,
  PublicClient,
  ReadyClients,
  SecretAlgorithm,
  SecretClient,
} from './authorization-server/ready-clients.ts'
export type { SigningKey } from './authorization-server/signing-keys.ts'
export type {
  ClientAuthMethod,
  TokenRequestArrival,
  TokenRequestListener,
  TokenRequestRecord,
} from './authorization-server/token-request-record.ts'
export type { CertificateAuthority, CertificateOptions } from './certificates/certificate-authority.ts'
export { createCertificateAuthority } from './certificates/certificate-authority.ts'
export type { IssuedCertificate, KeyPair } from './certificates/issued-certificate.ts'
export type { TlsOption } from './certificates/tls-identity.ts'
export type { DecodedJwt } from './jwt/decoded-jwt.ts'
export type { KeyAlgorithm } from './jwt/key-algorithms.ts'
export type { ManualClock } from './manual-clock.ts'
export { createManualClock } from './manual-clock.ts'
export type { ProtectedApi, ProtectedApiOptions } from './protected-api/protected-api.ts'
export type {
  ConfidentialApplication,
  OracleApplication,
  OracleGrant,
  OracleResource,
  ReadyApplications,
} from './oracle-identity-domain/application.ts'
export type { OracleConsent } from './oracle-identity-domain/authorization-codes.ts'
export type {
  OracleIdentityDomain,
  OracleIdentityDomainOptions,
  OracleRequest,
  TlsOracleIdentityDomain,
} from './oracle-identity-domain/options.ts'
export { createOracleIdentityDomain } from './oracle-identity-domain/oracle-identity-domain.ts'
export type { DpopNonceMode, DpopNonces } from './protected-api/dpop-nonces.ts'
export type { TokenScheme } from './protected-api/presented-token.ts'
export { createProtectedApi } from './protected-api/protected-api.ts'
export type { ProtectedApiRequest } from './protected-api/request-record.ts'
export type { TokenMatcher } from './protected-api/revocation-list.ts'
export { tokenHash } from './protected-api/token-hash.ts'
export type { IntrospectionAccess } from './protected-api/verify-token.ts'
export { createRedisCluster, createRedisSentinel } from './redis/redis-fleets.ts'
export type { RedisCluster, RedisSentinel } from './redis/redis-fleets.ts'
export { redisProgram } from './redis/redis-program.ts'
export { createRedisServer } from './redis/redis-server.ts'
export type { RedisServer, RedisServerOptions } from './redis/redis-server.ts'
export type { RecordedRequest } from './scripted-server/recorded-request.ts'
export type {
  EndlessReply,
  FullReply,
  HangReply,
  RedirectReply,
  Reply,
  ReplyFunction,
  ResetReply,
  SlowReply,
  StaticReply,
  TruncatedReply,
} from './scripted-server/reply.ts'
export type { ScriptedServer } from './scripted-server/scripted-server.ts'
export { createScriptedServer } from './scripted-server/scripted-server.ts'
export type { TokenReplyOptions } from './scripted-server/token-reply.ts'
export { tokenReply } from './scripted-server/token-reply.ts'
export type {
  ContractCase,
  EntryDescription,
  NewEntry,
  TokenCacheContractOptions,
  TokenCacheUnderTest,
} from './token-cache-contract/contract.ts'
export { tokenCacheContract } from './token-cache-contract/contract.ts'
