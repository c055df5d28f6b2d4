import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import { expect, test } from 'vitest'

const sources = JSON.stringify(new URL('../src/index.ts', import.meta.url))

const plainServers = `
  import { setImmediate } from 'node:timers/promises'
  import { createAuthorizationServer, createProtectedApi, createScriptedServer } from ${sources}
  const server = await createAuthorizationServer()
  const api = await createProtectedApi(server)
  const slow = await createAuthorizationServer({ delayMs: 60_000 })
  const scripted = await createScriptedServer()
  const slowBody = { chunk: 1, everyMs: 60_000 }
  scripted.respondWith({ hang: true }, { status: 200, delayMs: 60_000 }, { body: 'ab', slowBody }, { endless: true })
  const { clientId, secret } = server.clients.basicPlain
  const response = await fetch(server.tokenEndpoint, {
    method: 'POST',
    headers: { authorization: 'Basic ' + btoa(clientId + ':' + secret) },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  const { access_token: token } = await response.json()
  const { status } = await fetch(api.url, { headers: { authorization: 'Bearer ' + token } })

  const arrived = Promise.withResolvers()
  slow.onTokenRequest(arrived.resolve)
  const unanswered = [fetch(slow.tokenEndpoint, { method: 'POST' })]
  await arrived.promise
  for (let count = 1; count <= 4; count += 1) {
    unanswered.push(fetch(scripted.url).then((response) => response.text()))
    while (scripted.requests.length < count) await setImmediate()
  }
  const settled = Promise.allSettled(unanswered)
  await Promise.all([server, api, slow, scripted].map((each) => each.close()))
  await settled
  process.exitCode = status === 200 ? 0 : 1
`

const tlsServers = `
  import { once } from 'node:events'
  import { request } from 'node:https'
  import { createAuthorizationServer, createOracleIdentityDomain, createProtectedApi } from ${sources}
  const server = await createAuthorizationServer({ tls: true })
  const { ca, certificateAuthority: tls, certificateClients: { certificateBound } } = server
  const api = await createProtectedApi({ ...server, tls })
  const domain = await createOracleIdentityDomain({ tls })
  const { cert, key } = certificateBound.certificate
  const send = async (url, headers, body) => {
    const method = body === undefined ? 'GET' : 'POST'
    const sent = request(url, { method, ca, cert, key, headers }).end(body?.toString())
    const [response] = await once(sent, 'response')
    return { status: response.statusCode, body: Buffer.concat(await response.toArray()).toString() }
  }
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const client = new URLSearchParams({ grant_type: 'client_credentials', client_id: certificateBound.clientId })
  const { access_token: token } = JSON.parse((await send(server.mtlsTokenEndpoint, form, client)).body)
  const statuses = [
    (await send(api.url, { authorization: 'Bearer ' + token })).status,
    (await send(domain.secureUrl + '/oauth2/v1/token', form, client)).status,
  ]
  await Promise.all([server, api, domain].map((each) => each.close()))
  process.exitCode = statuses.join() === '200,401' ? 0 : 1
`

test.each([
  ['its servers', plainServers],
  ['servers with TLS', tlsServers],
])('a process that closes %s prints nothing and exits by itself', async (_name, script) => {
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', script],
    // A handle that is left over, such as an idle connection, would keep the process past this.
    { timeout: 4000 },
  )
  expect([stdout, stderr]).toEqual(['', ''])
})
