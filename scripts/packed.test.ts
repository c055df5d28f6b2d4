import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { publicPackages, root, run, runPnpm } from './workspace.ts'

// What our users may run: the oldest Node.js that `engines` allows, and the newest of each line. npm has them all.
const runtimes = ['22.19.0', '24.21.0', '26.10.0']
const packages = [
  '@tokenwell/core',
  '@tokenwell/express',
  '@tokenwell/fastify',
  '@tokenwell/nestjs',
  '@tokenwell/opentelemetry',
  '@tokenwell/redis',
]
const minutes = 60_000

let work: string
const nodes = new Map<string, string>()

/** The binary of one version, installed once and kept beside the other modules. */
async function installNode(version: string): Promise<string> {
  const folder = join(root, 'node_modules/.cache/runtimes', version)
  const binary = join(folder, 'node_modules/node/bin/node')
  if (await stat(binary).catch(() => undefined)) return binary
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), '{"private":true}')
  const installed = await run('npm', ['install', '--no-audit', '--no-fund', `node@${version}`], folder)
  if (!installed.ok) throw new Error(installed.output)
  return binary
}

/** A folder in which the tarballs are installed as their users install them. */
async function installTarballs(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tokenwell-packed-'))
  const found = await publicPackages()
  expect(found.map(({ name }) => name)).toEqual(packages)
  const tarballs: string[] = []
  for (const { name, folder: source } of found) {
    const tarball = join(folder, `${name.replace('@tokenwell/', '')}.tgz`)
    const packed = await runPnpm(['pack', '--out', tarball], source)
    if (!packed.ok) throw new Error(packed.output)
    tarballs.push(tarball)
  }
  await writeFile(join(folder, 'package.json'), '{"private":true,"type":"commonjs"}')
  // `reflect-metadata` and `rxjs` are what Nest itself asks for.
  const nest = ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs']
  // The oldest that its peer range allows.
  const others = ['express', 'fastify', ...nest, '@opentelemetry/api@1.9.0']
  const installed = await run('npm', ['install', '--no-audit', '--no-fund', ...tarballs, ...others], folder)
  if (!installed.ok) throw new Error(installed.output)
  return folder
}

beforeAll(async () => {
  for (const version of runtimes) nodes.set(version, await installNode(version))
  work = await installTarballs()
}, 10 * minutes)
afterAll(() => rm(work, { recursive: true, force: true }))

async function evaluate(version: string, extension: 'mjs' | 'cjs', code: string) {
  const file = join(work, `check-${crypto.randomUUID()}.${extension}`)
  await writeFile(file, code)
  return run(nodes.get(version) ?? expect.fail(version), [file], work)
}

describe.each(runtimes)('on Node.js %s, in a bare process', (version) => {
  it('runs that version', async () => {
    expect(await evaluate(version, 'cjs', 'console.log(process.versions.node)')).toEqual({ ok: true, output: version })
  })

  it.each(packages)('%s is loaded by import and by require, as the same module, without a warning', async (name) => {
    const manifest = JSON.parse(await readFile(join(work, 'node_modules', name, 'package.json'), 'utf8')) as object
    expect(manifest).not.toHaveProperty('private')
    const code = `
      const required = require(${JSON.stringify(name)})
      import(${JSON.stringify(name)}).then((imported) => {
        const functions = Object.keys(required).filter((key) => typeof required[key] === 'function' && required[key] === imported[key])
        console.log(functions.length > 0 ? 'same' : 'different', process.exitCode ?? '')
      })`
    expect(await evaluate(version, 'cjs', code)).toEqual({ ok: true, output: 'same' })
    const module = `import * as all from ${JSON.stringify(name)}; console.log(Object.keys(all).length > 0)`
    expect(await evaluate(version, 'mjs', module)).toEqual({ ok: true, output: 'true' })
  })

  // regressions S32, J28: no handle is left, whether or not somebody thought of closing.
  it.each([
    ['closed its upstream', 'await upstream.close()'],
    ['forgot to', ''],
  ])(
    'a process that made calls and %s ends by itself',
    async (_name, end) => {
      const code = `
      import { createServer } from 'node:http'
      import { clientSecretBasic, createUpstream } from '@tokenwell/core'
      const server = createServer((request, response) => {
        const token = request.url === '/token'
        response.setHeader('content-type', 'application/json')
        response.end(token ? '{"access_token":"abc","token_type":"Bearer","expires_in":3600}' : JSON.stringify(request.headers.authorization))
      })
      await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
      // The server is in this process for want of another: it does not count as what keeps the process alive.
      server.unref()
      const url = 'http://127.0.0.1:' + server.address().port
      const upstream = createUpstream({
        baseUrl: url,
        oauth: { tokenEndpoint: url + '/token', clientId: 'orders', clientAuth: clientSecretBasic('secret') },
      })
      server.on('connection', (socket) => socket.unref())
      console.log(await (await upstream.fetch('/x')).json(), (await upstream.request('/y')).statusCode)
      ${end}`
      expect(await evaluate(version, 'mjs', code)).toEqual({ ok: true, output: 'Bearer abc 200' })
    },
    20_000,
  )
})
