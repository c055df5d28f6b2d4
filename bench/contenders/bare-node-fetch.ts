/** Node's built-in fetch with a fixed header. */
import type { Contender } from '../contender.ts'
import { closeBuiltInConnections } from './built-in-connections.ts'

export default {
  name: 'built-in fetch, fixed header',
  version: process.versions['undici'] ?? 'unknown',
  async start(surroundings) {
    const authorization = surroundings.fixedHeader
    return {
      async call() {
        const response = await fetch(surroundings.apiUrl, { headers: { authorization } })
        await response.text()
        return response.status
      },
      close: closeBuiltInConnections,
    }
  },
} satisfies Contender
