/** A token as a {@link UsersCache} keeps it. */
export interface KeptToken {
  readonly accessToken: string
  readonly expiresInMs: number
}

/**
 * The cache that users write around a library that has none: one token, got again when less than a minute of it is left, and
 * one request for all who ask meanwhile. Many leave the latter out. Half of a life that is shorter than two minutes.
 */
export class UsersCache {
  readonly #request: () => Promise<KeptToken>
  readonly #marginMs: number
  #accessToken: string | undefined
  #goodUntil = 0
  #pending: Promise<string> | undefined

  constructor(lifetimeMs: number, request: () => Promise<KeptToken>, marginMs = 60_000) {
    this.#request = request
    this.#marginMs = Math.min(marginMs, lifetimeMs / 2)
  }

  async get(): Promise<string> {
    if (this.#accessToken !== undefined && Date.now() < this.#goodUntil) return this.#accessToken
    this.#pending ??= this.#renew().finally(() => {
      this.#pending = undefined
    })
    return this.#pending
  }

  /** For those who look at a 401. Another token than this one stays. */
  forget(accessToken: string): void {
    if (this.#accessToken === accessToken) this.#accessToken = undefined
  }

  async #renew(): Promise<string> {
    const { accessToken, expiresInMs } = await this.#request()
    this.#goodUntil = Date.now() + expiresInMs - this.#marginMs
    this.#accessToken = accessToken
    return accessToken
  }
}
