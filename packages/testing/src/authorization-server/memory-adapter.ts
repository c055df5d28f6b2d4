type Payload = Record<string, unknown>

interface Adapter {
  upsert(id: string, payload: Payload): Promise<void>
  find(id: string): Promise<Payload | undefined>
  consume(id: string): Promise<void>
  destroy(id: string): Promise<void>
  revokeByGrantId(): Promise<void>
}

/**
 * Storage for one oidc-provider instance: a factory of one adapter for each kind of record.
 * Has only what the grants, introspection and replay detection need; expiry is checked by the reader.
 */
export function createMemoryAdapterFactory(): (model: string) => Adapter {
  // The adapter that comes with oidc-provider prints a warning and forgets all but the newest 1000 records.
  const records = new Map<string, Payload>()
  return (model) => ({
    async upsert(id, payload) {
      records.set(`${model}:${id}`, payload)
    },
    async find(id) {
      return records.get(`${model}:${id}`)
    },
    async consume(id) {
      const record = records.get(`${model}:${id}`)
      if (record !== undefined) record['consumed'] = Math.floor(Date.now() / 1000)
    },
    async destroy(id) {
      records.delete(`${model}:${id}`)
    },
    // The grant is destroyed as well, and without it nothing that came of it is good.
    async revokeByGrantId() {},
  })
}
