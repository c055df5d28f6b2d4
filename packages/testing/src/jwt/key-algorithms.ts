/** Algorithms of a private key that assertions and proofs are signed with, RFC 7518 §3.1, RFC 8037 §3.1 and RFC 9864 §2.2. */
export const keyAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const

/** One of `keyAlgorithms`. */
export type KeyAlgorithm = (typeof keyAlgorithms)[number]
