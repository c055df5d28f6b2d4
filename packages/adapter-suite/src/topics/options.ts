import type { Upstreams } from '@tokenwell/core'
import { describe, expect, test } from 'vitest'

import { ask, callInvoices, traceHeaders } from '../requests.ts'
import type { Suite } from '../service.ts'

export function wrongOptions(suite: Suite): void {
  const { start } = suite

  describe('an option', () => {
    test.each<[string, unknown]>([
      ['propagate', ['authorization']],
      ['propagate', ['x-request-id', 'Cookie']],
      ['propagate', 'traceparent'],
      ['abortOnDisconnect', 'sometimes'],
      ['abortOnDisconnect', true],
      ['warmUp', 'later'],
      ['warmUp', true],
      ['context', 'acme'],
    ])('%s that is %j is refused by its name', async (option, value) => {
      await using upstreams = suite.servers.createBilling()
      const service = start({ upstreams, options: { [option]: value } })
      await expect(service).rejects.toThrow(
        expect.objectContaining({ name: 'TypeError', message: expect.stringMatching(new RegExp(`^${option}: `)) }),
      )
    })

    test('that is undefined counts as not given', async () => {
      await using upstreams = suite.servers.createBilling()
      const options = { propagate: undefined, abortOnDisconnect: undefined, context: undefined, warmUp: undefined }
      await using service = await start({ upstreams, options: options as object, handler: callInvoices })
      expect((await ask(service, { headers: traceHeaders })).headers).toMatchObject(traceHeaders)
    })

    test.each([undefined, {}])('upstreams that are %j are refused by their name', async (upstreams) => {
      const service = start({ upstreams: upstreams as unknown as Upstreams<'billing'> })
      await expect(service).rejects.toThrow(
        expect.objectContaining({ name: 'TypeError', message: expect.stringMatching(/^upstreams: /) }),
      )
    })
  })
}
