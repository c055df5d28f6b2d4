import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { documentedCases, passedCases } from './case-table.ts'
import { startServers, type Servers } from './servers.ts'
import type { FrameworkTraits, StartService, Suite } from './service.ts'
import { badInput } from './topics/bad-input.ts'
import { callers } from './topics/callers.ts'
import { calls } from './topics/calls.ts'
import { deadline } from './topics/deadline.ts'
import { errors } from './topics/errors.ts'
import { hangUp } from './topics/hang-up.ts'
import { hangUpStages } from './topics/hang-up-stages.ts'
import { inboundRequest } from './topics/inbound-request.ts'
import { wrongOptions } from './topics/options.ts'
import { warmingUp } from './topics/warm-up.ts'

const topics = [
  calls,
  inboundRequest,
  badInput,
  callers,
  hangUp,
  hangUpStages,
  deadline,
  wrongOptions,
  warmingUp,
  errors,
]

/** What every adapter must do, for one framework. `start` is called for each test. */
export function adapterSuite(name: string, start: StartService, traits: FrameworkTraits = {}): void {
  describe(name, () => {
    let servers: Servers | undefined
    beforeAll(async () => {
      servers = await startServers()
    })
    afterAll(() => servers?.[Symbol.asyncDispose]())

    const suite: Suite = {
      start,
      sendsErrorHeaders: traits.sendsErrorHeaders ?? false,
      get servers() {
        if (servers === undefined) throw new Error('the servers run while tests do')
        return servers
      },
    }
    for (const topic of topics) topic(suite)

    // The last one: it tells of all others.
    test("the table in the suite's README has these cases", async ({ task }) => {
      const passed = task.suite === undefined ? [] : passedCases(task.suite)
      expect((await documentedCases(name, passed)).toSorted()).toEqual(passed.toSorted())
    })
  })
}
