import { tokenHash } from '@tokenwell/testing'
import { inboundCookie } from './drive-service.ts'
import type { Call, Evidence, Manners, Observation } from './evidence.ts'
import type { End } from './start-example.ts'
import { scopes } from './users.ts'

/** Everything that is not as it must be; empty if all is well. */
export function judge(evidence: Evidence): readonly string[] {
  return [
    ...evidence.observations.flatMap((observation) => judgeExample(observation, evidence)),
    ...judgeTraffic(evidence),
    ...judgeControls(evidence),
  ]
}

/** What was wrong with the ends of the examples. */
export function judgeEnds(ends: readonly End[]): readonly string[] {
  return ends.flatMap(({ caller, problem }) => (problem === undefined ? [] : [`${caller.name}: ${problem}`]))
}

function judgeExample(observation: Observation, evidence: Evidence): string[] {
  const { caller, orders, profiles, manners } = observation
  const isService = caller.kind === 'service'
  const wrong = [
    ...orders.flatMap((call) => judgeCall(call, caller.client.clientId, scopes.orders)),
    ...profiles.flatMap((call) => judgeCall(call, caller.client.clientId, scopes.profile)),
    ...judgeArrivals(observation, evidence),
    ...judgeTokenRequests(observation, isService ? evidence.users.length : 0),
    ...(manners === undefined ? [] : judgeManners(manners)),
  ]
  if (isService && (profiles.length < 2 || manners === undefined)) wrong.push('was not asked everything')
  return [...new Set(wrong)].map((problem) => `${caller.name}: ${problem}`)
}

function judgeCall({ user, status, answer, seen, expected }: Call, clientId: string, scope: string): string[] {
  if (status !== 200 || seen === undefined) return [`status ${status} instead of 200, ${answer}`]
  const wrong: string[] = []
  // The subject of a token that a client has for itself is the client (RFC 9068 §2.2).
  const subject = user ?? clientId
  if (seen.subject !== subject) wrong.push(`in the name of ${seen.subject} instead of ${subject}`)
  if (seen.clientId !== clientId) wrong.push(`client_id ${seen.clientId} instead of ${clientId}`)
  if (seen.scope !== scope) wrong.push(`scope ${seen.scope} instead of ${scope}`)
  if (seen.tokenType !== 'Bearer') wrong.push(`token type ${seen.tokenType} instead of Bearer`)
  if (seen.headers['x-request-id'] === undefined) wrong.push('no x-request-id arrived')
  for (const [name, value] of Object.entries(expected)) {
    if (seen.headers[name] !== value) wrong.push(`${name} of the inbound request did not arrive as it was`)
  }
  return wrong
}

function judgeArrivals({ caller, orders, profiles }: Observation, { apiRequests }: Evidence): string[] {
  const made = orders.length + profiles.length
  const arrived = apiRequests.filter(({ clientId }) => clientId === caller.client.clientId).length
  // A worker goes on while others are watched.
  const all = caller.kind === 'worker' ? arrived >= made : arrived === made
  return orders.length < 2 || !all ? [`${made} calls, of which ${arrived} came to the API`] : []
}

function judgeTokenRequests({ caller, ownTokenRequests, exchanges }: Observation, users: number): string[] {
  const { method } = caller.client
  const wrong: string[] = []
  if (ownTokenRequests.length !== 1) wrong.push(`${ownTokenRequests.length} token requests for itself instead of 1`)
  if (exchanges.length !== users)
    wrong.push(`${exchanges.length} token exchanges instead of ${users}, one for each user`)
  for (const { clientAuthMethod } of [...ownTokenRequests, ...exchanges]) {
    if (clientAuthMethod !== method) wrong.push(`authenticated by ${clientAuthMethod} instead of ${method}`)
  }
  return wrong
}

function judgeManners({ withoutToken, withForgedToken, live, ready }: Manners): string[] {
  const wrong: string[] = []
  if (withoutToken !== '401 Bearer') wrong.push(`/profile without a token: ${withoutToken}`)
  if (withForgedToken !== '401 Bearer error="invalid_token"')
    wrong.push(`/profile with a forged token: ${withForgedToken}`)
  if (live !== 200) wrong.push(`/healthz answered ${live}`)
  if (ready !== 200) wrong.push(`/readyz answered ${ready}`)
  return wrong
}

// What was meant for the services alone must not have come to the API, and nobody else asks for tokens here.
function judgeTraffic({ users, apiRequests, observations, tokenRequestCount }: Evidence): string[] {
  const wrong: string[] = []
  const inboundHashes = new Set<string | undefined>(users.map(({ token }) => tokenHash(token)))
  if (apiRequests.some((request) => inboundHashes.has(request.tokenHash))) wrong.push('an inbound token was forwarded')
  const headers = JSON.stringify(apiRequests.map((request) => request.headers))
  if (users.some(({ token }) => headers.includes(token))) wrong.push('an inbound token was forwarded in another header')
  if (headers.includes(inboundCookie)) wrong.push('an inbound cookie was forwarded')
  const known = observations.reduce((sum, { ownTokenRequests: o, exchanges: e }) => sum + o.length + e.length, 0)
  if (known !== tokenRequestCount)
    wrong.push(`${tokenRequestCount - known} token requests of unknown clients, or not answered`)
  return wrong
}

// An API that let everybody in would make all the rest prove nothing.
function judgeControls({ controls: { withoutToken, withInboundToken } }: Evidence): string[] {
  const wrong: string[] = []
  if (withoutToken !== 401) wrong.push(`the API answered ${withoutToken} instead of 401 without a token`)
  if (withInboundToken !== 401) wrong.push(`the API answered ${withInboundToken} instead of 401 to an inbound token`)
  return wrong
}
