import { setTimeout } from 'node:timers/promises'
import { createRedisServer, freePort, type RedisServer } from './redis-server.ts'

/** Three primaries of one Redis Cluster. */
export interface RedisCluster extends AsyncDisposable {
  readonly nodes: readonly RedisServer[]
  close(): Promise<void>
}

const slots = 16_384

/** Starts a Cluster of three nodes without replicas, and waits until it serves all slots. */
export async function createRedisCluster(): Promise<RedisCluster> {
  const nodes: RedisServer[] = []
  const close = async () => void (await Promise.all(nodes.map((node) => node.close())))
  try {
    for (let index = 0; index < 3; index++) {
      const bus = String(await freePort())
      const settings = { 'cluster-enabled': 'yes', 'cluster-port': bus, 'cluster-node-timeout': '2000' }
      const node = await createRedisServer({ settings })
      nodes.push(node)
      const [from, to] = [Math.ceil((slots * index) / 3), Math.ceil((slots * (index + 1)) / 3) - 1]
      await expectOk(node, 'CLUSTER', 'ADDSLOTSRANGE', String(from), String(to))
      await expectOk(node, 'CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
      const [first] = nodes
      if (first === undefined || first === node) continue
      await expectOk(first, 'CLUSTER', 'MEET', '127.0.0.1', String(node.port), bus)
    }
    for (const node of nodes) {
      await until(async () => (await node.command('CLUSTER', 'INFO')).includes('cluster_state:ok'))
      await until(async () => (await node.command('CLUSTER', 'INFO')).includes('cluster_known_nodes:3'))
    }
  } catch (error) {
    await close()
    throw error
  }
  return { nodes, close, [Symbol.asyncDispose]: close }
}

/** A primary, a replica of it, and one sentinel that watches both. */
export interface RedisSentinel extends AsyncDisposable {
  /** What the primary is called. */
  readonly name: string
  readonly primary: RedisServer
  readonly replica: RedisServer
  readonly sentinel: RedisServer
  /** Resolves when the replica has become the primary. */
  failedOver(): Promise<void>
  close(): Promise<void>
}

/** Starts the three, and waits until the sentinel knows the replica. A primary that is gone is replaced after half a second. */
export async function createRedisSentinel(): Promise<RedisSentinel> {
  const name = 'tokens'
  // The replica is the only one: no need to wait for others to come.
  const primary = await createRedisServer({ settings: { 'repl-diskless-sync-delay': '0' } })
  const replica = await createRedisServer({ settings: { replicaof: `127.0.0.1 ${primary.port}` } })
  const sentinel = await createRedisServer({
    sentinel: true,
    settings: {
      'sentinel monitor': `${name} 127.0.0.1 ${primary.port} 1`,
      'sentinel down-after-milliseconds': `${name} 500`,
      'sentinel failover-timeout': `${name} 3000`,
    },
  })
  await until(async () => (await replica.command('INFO', 'replication')).includes('master_link_status:up'))
  await until(async () => (await sentinel.command('INFO', 'sentinel')).includes('slaves=1'))
  const close = async () => void (await Promise.all([sentinel, replica, primary].map((server) => server.close())))
  return {
    name,
    primary,
    replica,
    sentinel,
    failedOver: () => until(async () => (await replica.command('INFO', 'replication')).includes('role:master')),
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function expectOk(node: RedisServer, ...words: readonly string[]): Promise<void> {
  const answer = await node.command(...words)
  if (!answer.startsWith('+OK')) throw new Error(`${words.join(' ')}: ${answer}`)
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if (await holds().catch(() => false)) return
    await setTimeout(20)
  }
  throw new Error('Redis did not get ready')
}
