/** gaxios, which google-auth-library calls through, with a fixed header and connections that are kept. */
import { Agent } from 'node:http'
import { Gaxios } from 'gaxios'
import type { Contender } from '../contender.ts'
import { versionOf } from '../version-of.ts'

export default {
  name: 'gaxios, fixed header',
  version: versionOf('gaxios'),
  async start(surroundings) {
    const agent = new Agent({ keepAlive: true })
    const headers = { authorization: surroundings.fixedHeader }
    const gaxios = new Gaxios({ agent, headers })
    return {
      call: async () => (await gaxios.request({ url: surroundings.apiUrl })).status,
      async close() {
        agent.destroy()
      },
    }
  },
} satisfies Contender
