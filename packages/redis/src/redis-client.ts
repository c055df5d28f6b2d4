/** A client of `redis` (node-redis 5 and 6): `createClient`. */
export interface NodeRedisClient {
  readonly isReady: boolean
  sendCommand(args: readonly string[], options?: CommandOptions): Promise<unknown>
}

/** A client of `redis` for a Cluster: `createCluster`. */
export interface NodeRedisCluster {
  readonly isOpen: boolean
  getSlotRandomNode(slot: number): unknown
  sendCommand(
    firstKey: string | undefined,
    isReadonly: boolean | undefined,
    args: string[],
    options?: CommandOptions,
  ): Promise<unknown>
}

/** A client of `redis` for a primary that Sentinel names: `createSentinel`. */
export interface NodeRedisSentinel {
  readonly isReady: boolean
  getMasterNode(): unknown
  sendCommand(isReadonly: boolean | undefined, args: string[], options?: CommandOptions): Promise<unknown>
}

/** `Redis` (also by way of Sentinel) or `Cluster` of `ioredis` 5 and 6. */
export interface IoRedisClient {
  readonly status: string
  call(command: string, ...args: string[]): Promise<unknown>
}

/** A connected client. Never closed by this package. */
export type RedisClient = NodeRedisClient | NodeRedisCluster | NodeRedisSentinel | IoRedisClient

interface CommandOptions {
  readonly abortSignal?: AbortSignal
}

/** Sends one command, whose first key says which node of a Cluster gets it. Rejects at once when there is no connection. */
export type SendCommand = (key: string, args: readonly string[], signal: AbortSignal) => Promise<unknown>

/** The one way in which commands are sent, whatever the client. Throws a `TypeError` for what is no client. */
export function commandsOf(client: RedisClient): SendCommand {
  const send = sender(client)
  return async (key, args, signal) => {
    // A client without a connection would keep the command until it has one, and send it when nobody wants it any more.
    if (!isConnected(client)) throw new NotConnectedError('the client is not connected')
    return send(key, args, signal)
  }
}

/** Nothing was sent. */
export class NotConnectedError extends Error {}

function sender(client: RedisClient): SendCommand {
  if (typeof client !== 'object' || client === null) throw notAClient()
  if ('call' in client && typeof client.call === 'function') {
    return (_key, [command = '', ...args]) => client.call(command, ...args)
  }
  if (!('sendCommand' in client) || typeof client.sendCommand !== 'function') throw notAClient()
  if ('getSlotRandomNode' in client) {
    return (key, args, abortSignal) => client.sendCommand(key, false, [...args], { abortSignal })
  }
  if ('getMasterNode' in client) {
    return (_key, args, abortSignal) => client.sendCommand(false, [...args], { abortSignal })
  }
  return (_key, args, abortSignal) => client.sendCommand(args, { abortSignal })
}

function isConnected(client: RedisClient): boolean {
  if ('status' in client) return client.status === 'ready'
  // Not every version of the cluster's client has the second.
  const { isReady = true, isOpen = true } = client as { isReady?: boolean; isOpen?: boolean }
  return isReady && isOpen
}

function notAClient(): TypeError {
  return new TypeError('redisTokenCache: client: expected a client of redis or ioredis')
}
