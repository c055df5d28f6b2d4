import type { RequestListener } from 'node:http'
import { Code, ConnectError } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { Billing } from '../billing-service.ts'

/** Answers {@link Billing} over Connect, gRPC and gRPC-web. */
export const serveConnect: RequestListener = connectNodeAdapter({
  routes: ({ service }) => {
    service(Billing, {
      readInvoice({ value }) {
        if (value === '') throw new ConnectError('an invoice has an id', Code.InvalidArgument)
        return { value: `invoice ${value}` }
      },
      createInvoice: ({ value }) => ({ value: `invoice for ${value}` }),
      async *listInvoices({ value }) {
        for (const id of [1, 2, 3]) yield { value: `${value} invoice ${id}` }
      },
    })
  },
})
