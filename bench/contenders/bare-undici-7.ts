/** `request` of undici 7 with a fixed header, for who is bound to that version. */
import { Agent, request } from 'undici-7'
import type { Contender } from '../contender.ts'
import { versionOf } from '../version-of.ts'

export default {
  name: 'undici 7 request, fixed header',
  version: versionOf('undici-7'),
  async start(surroundings) {
    const authorization = surroundings.fixedHeader
    const dispatcher = new Agent()
    return {
      async call() {
        const { statusCode, body } = await request(surroundings.apiUrl, { dispatcher, headers: { authorization } })
        await body.dump()
        return statusCode
      },
      close: () => dispatcher.close(),
    }
  },
} satisfies Contender
