/** tokenwell through `upstream.request`. */
import type { Contender } from '../contender.ts'
import { upstreamFor } from './own-upstream.ts'
import { versionOf } from '../version-of.ts'

export default {
  name: 'tokenwell request',
  version: versionOf('core', '../packages'),
  bare: 'bare-request',
  async start(surroundings) {
    const upstream = upstreamFor(surroundings)
    const path = new URL(surroundings.apiUrl).pathname
    return {
      async call() {
        const { statusCode, body } = await upstream.request(path)
        await body.dump()
        return statusCode
      },
      close: () => upstream.close(),
    }
  },
} satisfies Contender
