/** The limit: undici's `request` with a fixed header. */
import { Agent } from 'undici'
import type { Contender } from '../contender.ts'
import { versionOf } from '../version-of.ts'

export default {
  name: 'undici request, fixed header',
  version: versionOf('undici'),
  async start(surroundings) {
    const { origin, pathname: path } = new URL(surroundings.apiUrl)
    const authorization = surroundings.fixedHeader
    const agent = new Agent()
    return {
      async call() {
        const { statusCode, body } = await agent.request({ origin, path, method: 'GET', headers: { authorization } })
        await body.dump()
        return statusCode
      },
      close: () => agent.close(),
    }
  },
} satisfies Contender
