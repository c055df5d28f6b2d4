import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Pool } from 'undici'

const concurrency = 16
const batch = 320

/** Callers of a service, in a process of their own. */
export interface Callers {
  /** Has them make a batch of requests, several at a time, and resolves to how many when all were answered. */
  call(url: string): Promise<number>
  stop(): void
}

/** Starts them. The main file of this process must call {@link beCallers} when it is started with that variable. */
export async function startCallers(): Promise<Callers> {
  const env = { ...process.env, TOKENWELL_BENCH_CALLERS: '1' }
  const child = fork(process.argv[1] ?? '', { env, execArgv: [] })
  await once(child, 'message')
  return {
    async call(url) {
      child.send(url)
      const [failed] = (await once(child, 'message')) as [number]
      if (failed > 0) throw new Error(`${failed} requests failed`)
      return batch
    },
    stop: () => void child.kill(),
  }
}

/** What the other process does. */
export function beCallers(): void {
  const pools = new Map<string, Pool>()
  const call = async (url: string) => {
    const pool = pools.get(url) ?? new Pool(url, { connections: concurrency })
    pools.set(url, pool)
    let failed = 0
    const caller = async () => {
      for (let index = 0; index < batch / concurrency; index++) {
        const { statusCode, body } = await pool.request({ path: '/hello', method: 'GET' })
        await body.dump()
        if (statusCode !== 200) failed += 1
      }
    }
    await Promise.all(Array.from({ length: concurrency }, caller))
    process.send?.(failed)
  }
  process.on('message', (url: string) => void call(url))
  process.on('disconnect', () => process.exit())
  process.send?.('ready')
}
