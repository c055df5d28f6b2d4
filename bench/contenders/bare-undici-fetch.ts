/** undici's `fetch` with a fixed header. */
import { Agent, fetch } from 'undici'
import type { Contender } from '../contender.ts'
import { versionOf } from '../version-of.ts'

export default {
  name: 'undici fetch, fixed header',
  version: versionOf('undici'),
  async start(surroundings) {
    const authorization = surroundings.fixedHeader
    const dispatcher = new Agent()
    return {
      async call() {
        const response = await fetch(surroundings.apiUrl, { dispatcher, headers: { authorization } })
        await response.text()
        return response.status
      },
      close: () => dispatcher.close(),
    }
  },
} satisfies Contender
