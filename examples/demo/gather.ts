import { inboundToken } from './drive-service.ts'
import type { Evidence } from './evidence.ts'
import type { Stage } from './stage.ts'
import { work } from './work.ts'

/** Has all examples work at the same time, then tries the API without a good token. */
export async function gather({ server, api, examples }: Stage, signal: AbortSignal): Promise<Evidence> {
  const worked = await Promise.all(
    examples.map(async (example) => ({ caller: example.caller, calls: await work(example, signal) })),
  )
  const apiRequests = [...api.requests]
  const { tokenRequests, tokenRequestCount } = server
  const answerTo = async (headers: Record<string, string>) => {
    const response = await fetch(`${api.url}/v1/invoices/0`, { headers, signal })
    await response.body?.cancel()
    return response.status
  }
  return {
    observations: worked.map(({ caller, calls }) => ({
      caller,
      calls,
      tokenRequests: tokenRequests.filter(({ clientId }) => clientId === caller.client.clientId),
    })),
    tokenRequestCount,
    apiRequests,
    controls: {
      withoutToken: await answerTo({}),
      withInboundToken: await answerTo({ authorization: `Bearer ${inboundToken}` }),
    },
  }
}
