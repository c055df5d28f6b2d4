import { callWithAxios } from './axios.ts'
import { callWithConnect } from './connect.ts'
import { callWithGraphqlRequest } from './graphql-request.ts'
import { callWithHeyApi } from './hey-api.ts'
import { callWithKy } from './ky.ts'
import { callWithOfetch } from './ofetch.ts'
import { callWithOpenapiFetch } from './openapi-fetch.ts'
import type { Stage } from './servers/stage.ts'

/** A library, and what the API is to see of it. */
export interface Library {
  readonly name: string
  readonly call: (stage: Stage) => Promise<void>
  readonly methods: readonly string[]
}

const restful = ['GET', 'POST']

export const libraries: readonly Library[] = [
  {
    name: 'openapi-fetch',
    methods: restful,
    call: ({ upstream, api }) => callWithOpenapiFetch(upstream, `${api.url}/v1`),
  },
  {
    name: '@hey-api/openapi-ts',
    methods: restful,
    call: ({ upstream, api }) => callWithHeyApi(upstream, `${api.url}/v1`),
  },
  { name: 'ky', methods: restful, call: ({ upstream, api }) => callWithKy(upstream, `${api.url}/v1`) },
  { name: 'ofetch', methods: restful, call: ({ upstream }) => callWithOfetch(upstream) },
  { name: 'axios', methods: restful, call: ({ upstream, api }) => callWithAxios(upstream, `${api.url}/v1`) },
  {
    name: 'graphql-request',
    methods: ['POST', 'POST'],
    call: ({ upstream, graphql }) => callWithGraphqlRequest(upstream, graphql.url),
  },
  {
    name: '@connectrpc/connect, Connect',
    methods: ['GET', 'POST', 'POST'],
    call: ({ upstream, connect }) => callWithConnect(upstream, connect.url, 'connect'),
  },
  {
    name: '@connectrpc/connect, gRPC-web',
    methods: ['POST', 'POST', 'POST'],
    call: ({ upstream, connect }) => callWithConnect(upstream, connect.url, 'grpc-web'),
  },
]
