/** undici's `dispatch` with a fixed header: the least that a call can be. */
import { Agent } from 'undici'
import type { Contender } from '../contender.ts'
import { dispatchOnce } from '../dispatching.ts'
import { versionOf } from '../version-of.ts'

export default {
  name: 'undici dispatch, fixed header',
  version: versionOf('undici'),
  async start(surroundings) {
    const { origin, pathname: path } = new URL(surroundings.apiUrl)
    const authorization = surroundings.fixedHeader
    const agent = new Agent()
    return {
      call: () => dispatchOnce(agent, { origin, path, method: 'GET', headers: { authorization } }),
      close: () => agent.close(),
    }
  },
} satisfies Contender
