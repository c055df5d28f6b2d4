/** axios with a fixed header and connections that are kept. */
import { Agent } from 'node:http'
import axios from 'axios'
import type { Contender } from '../contender.ts'
import { versionOf } from '../version-of.ts'

export default {
  name: 'axios, fixed header',
  version: versionOf('axios'),
  async start(surroundings) {
    const httpAgent = new Agent({ keepAlive: true })
    const headers = { authorization: surroundings.fixedHeader }
    const instance = axios.create({ httpAgent, headers, validateStatus: () => true })
    return {
      call: async () => (await instance.get(surroundings.apiUrl)).status,
      async close() {
        httpAgent.destroy()
      },
    }
  },
} satisfies Contender
