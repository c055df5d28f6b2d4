/**
 * What must happen in one step in Redis. Sent whole each time, since it is only sent when there is no token at hand: no
 * node has to be taught first, and the order of commands is the order of their effects.
 *
 * Keys: the record, the lease, the fence, the pause. Every time is Redis's own.
 */

const now = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`

// The fence may have been evicted, or lost by a failover, while the record was not: then the record says where to go on.
const nextFence = `
local function nextFence()
  local fence = redis.pcall('INCR', KEYS[3])
  if type(fence) ~= 'number' then
    fence = 1
    redis.call('SET', KEYS[3], fence)
  end
  local stored = redis.pcall('HGET', KEYS[1], 'fence')
  stored = type(stored) == 'string' and tonumber(stored) or 0
  if stored >= fence then
    fence = stored + 1
    redis.call('SET', KEYS[3], fence)
  end
  redis.call('PEXPIRE', KEYS[3], 604800000)
  return fence
end`

// What somebody else has put there is a record of no schema, however long it stays.
const record = `
local function record()
  local fields = redis.pcall('HMGET', KEYS[1], 'schema', 'generation', 'fence', 'data')
  if fields.err then return {'', '', '', '', 60000} end
  fields[5] = redis.call('PTTL', KEYS[1])
  return fields
end`

/** The record: schema, generation, fence, data, remaining life. */
export const readScript = `${record}
return record()`

/** Owner, duration → fence (0 when somebody else has the lease), Redis's time, how long the pause lasts still. */
export const acquireScript = `${now}${nextFence}
local paused = redis.call('PTTL', KEYS[4])
if paused > 0 then return {0, now, paused} end
if redis.call('PTTL', KEYS[2]) == -1 then redis.call('DEL', KEYS[2]) end
if not redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {0, now, 0} end
return {nextFence(), now, 0}`

/** A fence, Redis's time. */
export const fenceScript = `${now}${nextFence}
return {nextFence(), now, 0}`

/** Schema, generation, fence, data, end of life → nothing, or the record that is there instead. */
export const writeScript = `${now}${record}
local left = tonumber(ARGV[5]) - now
if left < 1 then return {} end
local stored = redis.pcall('HGET', KEYS[1], 'fence')
stored = type(stored) == 'string' and tonumber(stored)
local fence = tonumber(ARGV[3])
if stored and (fence < stored or (fence == stored and left <= redis.call('PTTL', KEYS[1]))) then return record() end
redis.call('DEL', KEYS[1], KEYS[4])
redis.call('HSET', KEYS[1], 'schema', ARGV[1], 'generation', ARGV[2], 'fence', ARGV[3], 'data', ARGV[4])
redis.call('PEXPIRE', KEYS[1], left)
return {}`

/** Generation, for how long → 1 if it was there. What is left behind is a fence without a token. */
export const invalidateScript = `${nextFence}
if redis.pcall('HGET', KEYS[1], 'generation') ~= ARGV[1] then return 0 end
local fence = nextFence()
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'fence', fence)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`

/** Key, value → 1 if the key had that value. */
export const compareAndDeleteScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`
