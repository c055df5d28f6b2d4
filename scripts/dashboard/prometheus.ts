import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'

/** Prometheus, looking every 2 seconds. Returns its address. */
export async function startPrometheus(stack: AsyncDisposableStack, folder: string, targets: Record<string, string>) {
  const jobs = Object.entries(targets).map(([name, url]) => ({
    job_name: name,
    static_configs: [{ targets: [new URL(url).host], labels: { instance: `${name}-1` } }],
  }))
  const file = join(folder, 'prometheus.yml')
  // JSON is YAML.
  await writeFile(file, JSON.stringify({ global: { scrape_interval: '2s' }, scrape_configs: jobs }))
  const address = `127.0.0.1:${await freePort()}`
  const flags = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=${address}`,
  ]
  const child = spawn('prometheus', flags, { stdio: 'ignore' })
  await once(child, 'spawn')
  const ended = once(child, 'exit')
  stack.defer(async () => {
    child.kill()
    await ended
  })
  return `http://${address}`
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
