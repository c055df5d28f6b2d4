import { randomBytes, randomUUID } from 'node:crypto'
import type { Call, Manners, SeenByApi, Work } from './evidence.ts'
import { forge, type User } from './users.ts'

/** A cookie of our own. It is meant for the service, so the API must never see it. */
export const inboundCookie = 'session=inbound-cookie'

const atOnce = 20
const inTurn = 5

/**
 * Asks a service over HTTP, for orders and for the profiles of all users: many times at once while it may still wait for its
 * first tokens, then one after the other.
 */
export async function driveService(
  url: string,
  users: readonly User[],
  signal: AbortSignal,
): Promise<Omit<Work, 'caller'>> {
  const userOf = (index: number) => users[index % users.length]!
  const order = (index: number) => ask(`${url}/orders/${index}`, userOf(index), signal)
  const profile = async (index: number): Promise<Call> => {
    const user = userOf(index)
    return { ...(await ask(`${url}/profile`, user, signal)), user: user.name }
  }
  const many = (one: (index: number) => Promise<Call>) => Promise.all(Array.from({ length: atOnce }, (_, i) => one(i)))
  const [orders, profiles] = await Promise.all([many(order), many(profile)])
  for (let index = atOnce; index < atOnce + inTurn; index++) {
    orders.push(await order(index))
    profiles.push(await profile(index))
  }
  return { orders, profiles, manners: await tryManners(url, users, signal) }
}

async function ask(url: string, { token }: User, signal: AbortSignal): Promise<Call> {
  // As W3C Trace Context has it: version, trace id, parent id, flags.
  const traceparent = `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`
  const expected = { traceparent, 'x-request-id': randomUUID() }
  const response = await fetch(url, {
    headers: { ...expected, authorization: `Bearer ${token}`, cookie: inboundCookie },
    signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]),
  })
  const answer = await response.text()
  if (!response.ok) return { status: response.status, answer, seen: undefined, expected }
  const { invoice, profile } = JSON.parse(answer) as { readonly invoice?: SeenByApi; readonly profile?: SeenByApi }
  return { status: response.status, answer, seen: invoice ?? profile, expected }
}

async function tryManners(url: string, users: readonly User[], signal: AbortSignal): Promise<Manners> {
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(url + path, { headers, signal })
    await response.body?.cancel()
    return response
  }
  const told = ({ status, headers }: Response) => `${status} ${headers.get('www-authenticate') ?? 'and no challenge'}`
  const [alice, bob] = users
  const forged = forge(bob!, alice!.name)
  return {
    withoutToken: told(await get('/profile')),
    withForgedToken: told(await get('/profile', { authorization: `Bearer ${forged}` })),
    live: (await get('/healthz')).status,
    ready: (await get('/readyz')).status,
  }
}
