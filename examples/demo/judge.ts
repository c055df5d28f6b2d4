import { tokenHash } from '@tokenwell/testing'
import { scope } from './callers.ts'
import { inboundCookie, inboundToken } from './drive-service.ts'
import type { Call, Evidence, Observation } from './evidence.ts'

/** Everything that is not as it must be; empty if all is well. */
export function judge(evidence: Evidence): readonly string[] {
  return [
    ...evidence.observations.flatMap((observation) => judgeExample(observation, evidence)),
    ...judgeTraffic(evidence),
    ...judgeControls(evidence),
  ]
}

function judgeExample({ caller, calls, tokenRequests }: Observation, { apiRequests }: Evidence): string[] {
  const { clientId, method } = caller.client
  const wrong = calls.flatMap((call) => judgeCall(call, clientId))
  const arrived = apiRequests.filter((request) => request.clientId === clientId).length
  // A worker goes on while others are watched.
  const all = caller.kind === 'worker' ? arrived >= calls.length : arrived === calls.length
  if (calls.length < 2 || !all) wrong.push(`${calls.length} calls, of which ${arrived} came to the API`)
  if (tokenRequests.length !== 1) wrong.push(`${tokenRequests.length} token requests instead of 1`)
  for (const { clientAuthMethod } of tokenRequests) {
    if (clientAuthMethod !== method) wrong.push(`authenticated by ${clientAuthMethod} instead of ${method}`)
  }
  return [...new Set(wrong)].map((problem) => `${caller.name}: ${problem}`)
}

function judgeCall({ status, answer, seen, expected }: Call, clientId: string): string[] {
  if (status !== 200 || seen === undefined) return [`status ${status} instead of 200, ${answer}`]
  const wrong: string[] = []
  if (seen.clientId !== clientId) wrong.push(`client_id ${seen.clientId} instead of ${clientId}`)
  if (seen.scope !== scope) wrong.push(`scope ${seen.scope} instead of ${scope}`)
  if (seen.tokenType !== 'Bearer') wrong.push(`token type ${seen.tokenType} instead of Bearer`)
  if (seen.headers['x-request-id'] === undefined) wrong.push('no x-request-id arrived')
  for (const [name, value] of Object.entries(expected)) {
    if (seen.headers[name] !== value) wrong.push(`${name} of the inbound request did not arrive as it was`)
  }
  return wrong
}

// What was meant for the services alone must not have come to the API, and nobody else asks for tokens here.
function judgeTraffic({ apiRequests, observations, tokenRequestCount }: Evidence): string[] {
  const wrong: string[] = []
  const inboundHash = tokenHash(inboundToken)
  if (apiRequests.some((request) => request.tokenHash === inboundHash)) wrong.push('an inbound token was forwarded')
  const headers = JSON.stringify(apiRequests.map((request) => request.headers))
  if (headers.includes(inboundToken)) wrong.push('an inbound token was forwarded in another header')
  if (headers.includes(inboundCookie)) wrong.push('an inbound cookie was forwarded')
  const known = observations.reduce((sum, { tokenRequests }) => sum + tokenRequests.length, 0)
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
