// Where this Node keeps the dispatcher of its own fetch, which cannot be closed in any documented way.
const place = Symbol.for('undici.globalDispatcher.2')

interface BuiltInAgent {
  destroy(): Promise<void>
}

/** Closes what this Node's own fetch keeps open, so that who starts anew begins without connections, as the others do. */
export async function closeBuiltInConnections(): Promise<void> {
  const held = globalThis as unknown as Record<symbol, BuiltInAgent | undefined>
  const agent = held[place]
  if (agent === undefined) return
  held[place] = new (agent.constructor as new () => BuiltInAgent)()
  await agent.destroy()
}
