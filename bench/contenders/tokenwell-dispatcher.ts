/** tokenwell through `upstream.dispatcher`. */
import type { Contender } from '../contender.ts'
import { dispatchOnce } from '../dispatching.ts'
import { upstreamFor } from './own-upstream.ts'
import { versionOf } from '../version-of.ts'

export default {
  name: 'tokenwell dispatcher',
  version: versionOf('core', '../packages'),
  bare: 'bare-dispatch',
  async start(surroundings) {
    const upstream = upstreamFor(surroundings)
    const { origin, pathname: path } = new URL(surroundings.apiUrl)
    return {
      call: () => dispatchOnce(upstream.dispatcher, { origin, path, method: 'GET' }),
      close: () => upstream.close(),
    }
  },
} satisfies Contender
