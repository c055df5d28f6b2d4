import { randomBytes } from 'node:crypto'

/** `off`: a proof must have no nonce. `required`: the current one. `single-use`: the current one, once. */
export type DpopNonceMode = 'off' | 'required' | 'single-use'

/** The nonces that an API gives out for DPoP proofs, RFC 9449 §9. */
export interface DpopNonces {
  /** Can be changed at any time. */
  mode: DpopNonceMode
  /** What proofs must have from now on. */
  readonly current: string
  /** Makes a new nonce. Older ones are refused from now on, unless they are kept: then answers only name the new one. */
  rotate(options?: { readonly keepOld?: boolean }): string
}

/** The same, with what the API itself needs. */
export interface NonceKeeper extends DpopNonces {
  /** Whether a proof with this nonce, or with none, is taken now; uses a nonce up that is good once. */
  take(nonce: unknown): boolean
  /** What to answer in `DPoP-Nonce` to a request that came with `nonce`, §8.2. */
  answerTo(nonce: unknown): string | undefined
}

/** Starts with one nonce. */
export function createDpopNonces(mode: DpopNonceMode): NonceKeeper {
  const accepted = new Set<unknown>()
  let current = ''
  const keeper: NonceKeeper = {
    mode,
    get current() {
      return current
    },
    rotate({ keepOld = false } = {}) {
      if (!keepOld) accepted.clear()
      current = randomBytes(16).toString('base64url')
      accepted.add(current)
      return current
    },
    take(nonce) {
      if (keeper.mode === 'off') return nonce === undefined
      const known = accepted.has(nonce)
      if (known && keeper.mode === 'single-use') keeper.rotate()
      return known
    },
    answerTo: (nonce) => (keeper.mode === 'off' || nonce === current ? undefined : current),
  }
  keeper.rotate()
  return keeper
}
