/** tokenwell through `upstream.fetch`. */
import type { Contender } from '../contender.ts'
import { upstreamFor } from './own-upstream.ts'
import { versionOf } from '../version-of.ts'

export default {
  name: 'tokenwell fetch',
  version: versionOf('core', '../packages'),
  bare: 'bare-undici-fetch',
  async start(surroundings) {
    const upstream = upstreamFor(surroundings)
    const path = new URL(surroundings.apiUrl).pathname
    return {
      async call() {
        const response = await upstream.fetch(path)
        await response.text()
        return response.status
      },
      close: () => upstream.close(),
    }
  },
} satisfies Contender
