import type { RequestListener } from 'node:http'
import { json } from 'node:stream/consumers'
import { buildSchema, graphql } from 'graphql'

const schema = buildSchema(`
  type Invoice { id: ID! customer: String! }
  type Query { invoice(id: ID!): Invoice }
  type Mutation { createInvoice(customer: String!, amount: Float!): Invoice! }
`)

const resolvers = {
  invoice: ({ id }: { id: string }) => ({ id, customer: 'Zoë' }),
  createInvoice: ({ customer }: { customer: string }) => ({ id: '43', customer }),
}

interface Operation {
  readonly query: string
  readonly variables?: Record<string, unknown>
}

/** Answers GraphQL over HTTP, by GET and POST. */
export const serveGraphql: RequestListener = (request, response) => {
  const read = async (): Promise<Operation> => {
    if (request.method === 'POST') return (await json(request)) as Operation
    const { searchParams } = new URL(request.url ?? '', 'http://localhost')
    const variables = JSON.parse(searchParams.get('variables') ?? '{}') as Record<string, unknown>
    return { query: searchParams.get('query') ?? '', variables }
  }
  const answer = async (): Promise<void> => {
    const { query, variables } = await read()
    const result = await graphql({ schema, source: query, rootValue: resolvers, variableValues: variables ?? {} })
    response.setHeader('content-type', 'application/graphql-response+json')
    // A query that could not be run at all has no data.
    response.writeHead(result.data === undefined ? 400 : 200).end(JSON.stringify(result))
  }
  answer().catch(() => response.destroy())
}
