import type { LoggerService } from '@nestjs/common'
import { urlOf } from '@tokenwell/adapter-suite'
import { clientSecretBasic, createUpstreams, type Log } from '@tokenwell/core'
import { createScriptedServer } from '@tokenwell/testing'
import { describe, expect, test } from 'vitest'

import { TokenwellModule } from '../src/index.ts'
import { appOf, create, listen, nestMajor, platforms } from './applications.ts'

/** Writes down what it is given, by level. */
function loggerOf() {
  const lines: [level: string, line: unknown, context: unknown][] = []
  // Of an error the context comes after a stack.
  const write =
    (level: string) =>
    (line: unknown, ...more: unknown[]) =>
      void lines.push([level, line, more.at(-1)])
  const service: LoggerService = {
    log: write('log'),
    warn: write('warn'),
    error: write('error'),
    debug: write('debug'),
  }
  return { service, ours: () => lines.filter(([, , context]) => context === 'TokenwellModule') }
}

describe.each(platforms)(`Nest ${nestMajor} on $platform`, ({ createAdapter }) => {
  const refused = async (log?: Log) => {
    const server = await createScriptedServer({ status: 401, body: { error: 'invalid_client' } })
    const clientAuth = clientSecretBasic('a-secret-of-orders')
    const oauth = { tokenEndpoint: server.url, clientId: 'orders', clientAuth }
    const upstreams = createUpstreams({ billing: { baseUrl: server.url, oauth } })
    const logger = loggerOf()
    const app = await create(appOf(TokenwellModule.forRoot({ upstreams, warmUp: 'off', log })), createAdapter())
    app.useLogger(logger.service)
    await using service = await listen(app)
    expect((await fetch(urlOf(service))).status).toBe(502)
    expect((await fetch(urlOf(service))).status).toBe(502)
    await server[Symbol.asyncDispose]()
    return logger.ours()
  }

  test('what an operator must act on is one line of its logger', async () => {
    const lines = await refused()
    expect(lines).toMatchObject([
      ['error', { upstream: 'billing', message: expect.stringMatching(/credential/i) }, 'TokenwellModule'],
    ])
    expect(JSON.stringify(lines)).not.toContain('a-secret-of-orders')
  })

  test("it goes to a log of the application's choice instead", async () => {
    const lines: unknown[] = []
    const write = (fields: object, message?: string) => void lines.push({ ...fields, message })
    expect(await refused({ debug: write, info: write, warn: write, error: write })).toEqual([])
    expect(lines).toMatchObject([{ upstream: 'billing' }])
  })
})
