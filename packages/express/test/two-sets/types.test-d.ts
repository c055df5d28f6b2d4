import type { Upstream, Upstreams } from '@tokenwell/core'
import type { Request, RequestHandler } from 'express'

import { tokenwell } from '../../src/index.ts'

declare const orders: Upstreams<'billing'>
declare const reports: Upstreams<'billing' | 'warehouse'>

// A program of its own, since there is one Register in each.
declare module '@tokenwell/core' {
  interface Register {
    readonly upstreams: typeof orders | typeof reports
  }
}

export const middlewares: RequestHandler[] = [tokenwell(orders), tokenwell(reports)]

export function use({ upstreams }: Request): Upstream {
  const inBoth: Upstream = upstreams.billing
  // @ts-expect-error -- which of the two sets this request has is not known
  void upstreams.warehouse
  // @ts-expect-error -- there is no such upstream in either
  void upstreams.payroll
  return 'warehouse' in upstreams ? upstreams.warehouse : inBoth
}
