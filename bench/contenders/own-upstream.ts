import { clientSecretBasic, createUpstream, type Upstream } from '../../packages/core/dist/index.js'
import type { Surroundings } from '../contender.ts'

/** An upstream with nothing but what it must be told; every default is the one that users get. */
export function upstreamFor({ apiUrl, tokenEndpoint, clientId, clientSecret }: Surroundings): Upstream {
  return createUpstream({
    baseUrl: new URL(apiUrl).origin,
    oauth: { tokenEndpoint, clientId, clientAuth: clientSecretBasic(clientSecret) },
  })
}
