/** Says whether a token that the API was shown is revoked; asked for each request with a good token. */
export type TokenMatcher = (token: {
  /** SHA-256 of the token in hex. */
  readonly tokenHash: string
  readonly clientId?: string
  readonly subject?: string
  readonly scope?: string
}) => boolean

/** The tokens that an API refuses although they are good otherwise. */
export interface RevocationList {
  /** Notes that a token was shown, for `addAllSeen`. */
  see(tokenHash: string): void
  add(target: string | TokenMatcher): void
  addAllSeen(): void
  has: TokenMatcher
}

/** An empty list. */
export function createRevocationList(): RevocationList {
  const seen = new Set<string>()
  const hashes = new Set<string>()
  const matchers: TokenMatcher[] = []
  return {
    see: (tokenHash) => void seen.add(tokenHash),
    add(target) {
      if (typeof target === 'function') matchers.push(target)
      else hashes.add(target)
    },
    addAllSeen() {
      for (const tokenHash of seen) hashes.add(tokenHash)
    },
    has: (token) => hashes.has(token.tokenHash) || matchers.some((matches) => matches(token)),
  }
}
