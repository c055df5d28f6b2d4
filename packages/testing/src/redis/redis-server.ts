import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { redisProgram } from './redis-program.ts'

/** A Redis (or Valkey) process of its own, on a free port of 127.0.0.1. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number
  /** For clients: `redis://127.0.0.1:…`. */
  readonly url: string
  /** Sends one command of words without spaces and gives the answer as it came. */
  command(...words: readonly string[]): Promise<string>
  /** Ends it as a crash does. */
  kill(): Promise<void>
  /** Starts it again on the same port, with nothing in it. */
  restart(): Promise<void>
  /** It keeps its connections and does nothing, until it is resumed. */
  pause(): void
  resume(): void
  close(): Promise<void>
}

/** Options of {@link createRedisServer}. */
export interface RedisServerOptions {
  /** Further settings of redis.conf, such as `maxmemory`. */
  readonly settings?: Readonly<Record<string, string>>
  /** Runs as a sentinel. */
  readonly sentinel?: boolean
}

/** Starts a Redis. Rejects with what to install where there is none. */
export async function createRedisServer({
  settings = {},
  sentinel = false,
}: RedisServerOptions = {}): Promise<RedisServer> {
  const program = await redisProgram()
  const folder = await mkdtemp(join(tmpdir(), 'tokenwell-redis-'))
  const port = await freePort()
  const own = sentinel ? {} : { save: '""', appendonly: 'no' }
  const all = { port: String(port), bind: '127.0.0.1', dir: folder, daemonize: 'no', ...own, ...settings }
  const file = join(folder, 'redis.conf')
  await writeFile(
    file,
    Object.entries(all)
      .map(([name, value]) => `${name} ${value}\n`)
      .join(''),
  )
  const start = async () => {
    const started = spawn(program, sentinel ? [file, '--sentinel'] : [file], { stdio: 'ignore' })
    endWithThisProcess(started, folder)
    for (let tries = 0; tries < 500; tries++) {
      if (hasEnded(started)) throw new Error(`${program} ended at once, with ${started.exitCode}`)
      const answer = await redisCommand(port, ['PING']).catch(() => '')
      if (answer.startsWith('+PONG')) return started
      await setTimeout(20)
    }
    started.kill('SIGKILL')
    throw new Error(`${program} did not answer`)
  }
  let child: ChildProcess = await start()
  const kill = async () => {
    if (hasEnded(child)) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  const close = async () => {
    await kill()
    await rm(folder, { recursive: true, force: true })
  }
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    command: (...words) => redisCommand(port, words),
    kill,
    restart: async () => {
      await kill()
      child = await start()
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/**
 * Has it killed when this process is gone, even by SIGKILL: then nobody holds the other end of the pipe that a shell reads.
 * Detached, so that what ends the whole group (Ctrl-C) leaves the shell time for that.
 */
function endWithThisProcess(server: ChildProcess, folder: string): void {
  const script = 'cat; kill -9 "$0"; rm -rf "$1"'
  const stdio = ['pipe', 'ignore', 'ignore'] as const
  const guard = spawn('sh', ['-c', script, String(server.pid), folder], { stdio: [...stdio], detached: true })
  guard.unref()
  // Its number may be another process's by then.
  server.once('exit', () => guard.kill('SIGKILL'))
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function redisCommand(port: number, words: readonly string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  try {
    socket.setEncoding('utf8').write(`${words.join(' ')}\r\n`)
    let answer = ''
    for await (const chunk of socket) {
      answer += String(chunk)
      // A bulk text says how long it is; everything else that is asked for here is one line.
      const [, length] = /^\$(\d+)\r\n/.exec(answer) ?? []
      const whole = length === undefined ? answer.endsWith('\r\n') : answer.length >= Number(length) + length.length + 5
      if (whole) break
    }
    return answer
  } finally {
    socket.destroy()
  }
}
