import type { Evidence } from './evidence.ts'
import type { Stage } from './stage.ts'
import { work } from './work.ts'

/** Has all examples work at the same time, then tries the API without a good token. */
export async function gather({ server, api, users, examples }: Stage, signal: AbortSignal): Promise<Evidence> {
  const worked = await Promise.all(examples.map((example) => work(example, users, signal)))
  const apiRequests = [...api.requests]
  const { tokenRequests, tokenRequestCount } = server
  const answerTo = async (headers: Record<string, string>) => {
    const response = await fetch(`${api.url}/v1/profile`, { headers, signal })
    await response.body?.cancel()
    return response.status
  }
  const requestsOf = (clientId: string, grant: string) =>
    tokenRequests.filter((request) => request.clientId === clientId && request.grantType?.endsWith(grant))
  return {
    users,
    observations: worked.map((done) => ({
      ...done,
      ownTokenRequests: requestsOf(done.caller.client.clientId, 'client_credentials'),
      exchanges: requestsOf(done.caller.client.clientId, ':token-exchange'),
    })),
    tokenRequestCount,
    apiRequests,
    controls: {
      withoutToken: await answerTo({}),
      withInboundToken: await answerTo({ authorization: `Bearer ${users[0]!.token}` }),
    },
  }
}
