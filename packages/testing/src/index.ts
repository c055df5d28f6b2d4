export type { AuthorizationServer, AuthorizationServerOptions } from './authorization-server/authorization-server.ts'
export { createAuthorizationServer } from './authorization-server/authorization-server.ts'
export type { ClientDefinition, ClientMethod } from './authorization-server/client-definition.ts'
export type { PrivateKeyClient, ReadyClients, SecretClient } from './authorization-server/ready-clients.ts'
export type {
  ClientAuthMethod,
  TokenRequestArrival,
  TokenRequestListener,
  TokenRequestRecord,
} from './authorization-server/token-request-record.ts'
export type { ManualClock } from './manual-clock.ts'
export { createManualClock } from './manual-clock.ts'
export type { ProtectedApi, ProtectedApiOptions } from './protected-api/protected-api.ts'
export { createProtectedApi } from './protected-api/protected-api.ts'
export type { ProtectedApiRequest } from './protected-api/request-record.ts'
export type { TokenMatcher } from './protected-api/revocation-list.ts'
export { tokenHash } from './protected-api/token-hash.ts'
export type { IntrospectionAccess } from './protected-api/verify-token.ts'
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
