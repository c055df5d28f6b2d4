/** Starts a Redis, has it stand still, says which process and folder are its, and waits. */
import { createRedisServer } from '@tokenwell/testing'

const redis = await createRedisServer()
const [, pid] = /process_id:(\d+)/.exec(await redis.command('INFO', 'server')) ?? []
const [, folder] = /(\/\S+)\/redis\.conf/.exec(await redis.command('INFO', 'server')) ?? []
redis.pause()
process.send?.({ pid: Number(pid), folder })
