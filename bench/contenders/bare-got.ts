/** got with a fixed header and connections that are kept. */
import { Agent } from 'node:http'
import got from 'got'
import type { Contender } from '../contender.ts'
import { versionOf } from '../version-of.ts'

export default {
  name: 'got, fixed header',
  version: versionOf('got'),
  async start(surroundings) {
    const agent = new Agent({ keepAlive: true })
    const headers = { authorization: surroundings.fixedHeader }
    const instance = got.extend({ agent: { http: agent }, headers, throwHttpErrors: false })
    return {
      call: async () => (await instance.get(surroundings.apiUrl)).statusCode,
      async close() {
        agent.destroy()
      },
    }
  },
} satisfies Contender
