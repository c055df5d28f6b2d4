import { tokenHash, type ProtectedApiRequest, type TokenRequestRecord } from '@tokenwell/testing'
import { expect, test } from 'vitest'
import { createCallers } from '../callers.ts'
import { inboundCookie } from '../drive-service.ts'
import type { Call, Evidence, Observation } from '../evidence.ts'
import { judge, judgeEnds } from '../judge.ts'

const [caller] = createCallers()
if (caller === undefined) expect.fail()
const { clientId, method: clientAuthMethod } = caller.client
const users = ['alice', 'bob'].map((name) => ({ name, token: `token of ${name}` }))

function call(user?: string): Call {
  const scope = user === undefined ? 'invoices:read' : 'profile:read'
  const headers = { 'x-request-id': 'r-1' }
  const seen = { clientId, subject: user ?? clientId, scope, tokenType: 'Bearer', headers }
  return { user, status: 200, answer: '{}', seen, expected: headers }
}

const request: ProtectedApiRequest = { method: 'GET', path: '/', headers: {}, body: '', clientId, status: 200, at: 0 }
const tokenRequest: TokenRequestRecord = { clientId, resource: [], clientAuthMethod, status: 200, at: 0 }

const observation: Observation = {
  caller,
  orders: [call(), call()],
  profiles: [call('alice'), call('bob')],
  manners: { withoutToken: '401 Bearer', withForgedToken: '401 Bearer error="invalid_token"', live: 200, ready: 200 },
  ownTokenRequests: [tokenRequest],
  exchanges: [tokenRequest, tokenRequest],
}

const good: Evidence = {
  users,
  observations: [observation],
  tokenRequestCount: 3,
  apiRequests: [request, request, request, request],
  controls: { withoutToken: 401, withInboundToken: 401 },
}

const but = (changes: Partial<Observation>): Evidence => ({ ...good, observations: [{ ...observation, ...changes }] })
const seenAs = (seen: Partial<NonNullable<Call['seen']>>): Call => ({
  ...call('alice'),
  seen: { ...call('alice').seen, headers: { 'x-request-id': 'r-1' }, ...seen },
})
const arrived = (last: Partial<ProtectedApiRequest>): Evidence => ({
  ...good,
  apiRequests: [...good.apiRequests.slice(1), { ...request, ...last }],
})

test('nothing is said when all is well', () => {
  expect(judge(good)).toEqual([])
  expect(judgeEnds([{ caller, problem: undefined }])).toEqual([])
})

test.each<[what: string, evidence: Evidence, said: string]>([
  ["another user's profile", but({ profiles: [call('alice'), seenAs({ subject: 'bob' })] }), 'in the name of bob'],
  [
    'a user where there is none',
    but({ orders: [call(), { ...call(), seen: call('bob').seen }] }),
    'instead of orders-',
  ],
  ['another client', but({ profiles: [call('bob'), seenAs({ clientId: 'other' })] }), 'client_id other'],
  ['another scope', but({ profiles: [call('bob'), seenAs({ scope: 'invoices:read' })] }), 'scope invoices:read'],
  ['another request id', but({ profiles: [call('bob'), seenAs({ headers: {} })] }), 'no x-request-id arrived'],
  ['a failed call', but({ orders: [call(), { ...call(), status: 502, seen: undefined }] }), 'status 502'],
  ['a call too few', { ...good, apiRequests: [request] }, 'of which 1 came to the API'],
  ['nobody asked for a profile', but({ profiles: [] }), 'was not asked everything'],
  ['two tokens for itself', but({ ownTokenRequests: [tokenRequest, tokenRequest] }), '2 token requests for itself'],
  ['one exchange for two', but({ exchanges: [tokenRequest] }), '1 token exchanges instead of 2'],
  [
    'another method',
    but({ ownTokenRequests: [{ ...tokenRequest, clientAuthMethod: 'none' }] }),
    'authenticated by none instead of',
  ],
  ['a profile for anybody', but({ manners: { ...observation.manners!, withoutToken: '200' } }), 'without a token: 200'],
  ['a forged token taken', but({ manners: { ...observation.manners!, withForgedToken: '200' } }), 'forged token: 200'],
  ['not live', but({ manners: { ...observation.manners!, live: 500 } }), '/healthz answered 500'],
  ['not ready', but({ manners: { ...observation.manners!, ready: 503 } }), '/readyz answered 503'],
  ['a token that went on', arrived({ tokenHash: tokenHash('token of bob') }), 'an inbound token was forwarded'],
  ['a token in another header', arrived({ headers: { 'x-user': 'token of bob' } }), 'forwarded in another header'],
  ['a cookie that went on', arrived({ headers: { cookie: inboundCookie } }), 'an inbound cookie was forwarded'],
  ['a stranger', { ...good, tokenRequestCount: 4 }, '1 token requests of unknown clients'],
  ['an open API', { ...good, controls: { ...good.controls, withoutToken: 200 } }, '200 instead of 401 without a token'],
  ['an API for any token', { ...good, controls: { ...good.controls, withInboundToken: 200 } }, 'to an inbound token'],
])('%s is told', (_what, evidence, said) => {
  expect(judge(evidence)).toContainEqual(expect.stringContaining(said))
})

test('an end that was not clean is told', () => {
  expect(judgeEnds([{ caller, problem: 'ended with code 1' }])).toEqual(['express: ended with code 1'])
})
