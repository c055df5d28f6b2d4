import { certificateThumbprint } from '../oauth/certificate-thumbprint.ts'
import type { AssertionDefaults } from '../oauth/client-auth.ts'
import { assertionSigner, type AssertionToSign, type SignedAssertionOptions } from './signed-assertion.ts'
import { signingKeyReader, type SigningKeySource } from './signing-key-reader.ts'

/** How an assertion is signed with a private key, and what it says. */
export interface KeyAssertionOptions extends SignedAssertionOptions {
  /** The `kid` header, by which the server finds the public key. Default: that of the JWK or the signer, else none. */
  readonly keyId?: string | undefined
  /** JOSE algorithm. Default: the JWK's `alg`, else the usual one of the key: `RS256`, `ES256`, `EdDSA`… */
  readonly algorithm?: string | undefined
  /** Decrypts a key that is given as encrypted PEM. */
  readonly passphrase?: string | undefined
  /**
   * The `x5t` header (RFC 7515 §4.1.7), for servers that find keys by their certificate: its base64url SHA-1 thumbprint,
   * or the certificate as PEM text, from which that is computed.
   */
  readonly x5t?: string | { readonly certificate: string } | undefined
}

/** What one assertion is about; key and header are the signer's. */
export interface KeyAssertion extends Omit<AssertionToSign, 'key' | 'header'> {
  /** The key was refused a moment ago, so look again. */
  readonly fresh: boolean
}

/** Signs assertions with one private key, or with what takes its place. */
export interface KeyAssertionSigner {
  readonly needsIssuer: boolean
  sign(assertion: KeyAssertion): Promise<{ readonly assertion: string; readonly version: string | undefined }>
}

/**
 * Throws a `TypeError` for a wrong option, and for a key that is not private or does not fit the algorithm; `method` comes first
 * in its message, which tells nothing of the key.
 */
export function keyAssertionSigner(
  method: string,
  key: SigningKeySource,
  options: KeyAssertionOptions & Pick<AssertionDefaults, 'keyNamed'>,
  defaultType?: string,
): KeyAssertionSigner {
  const read = signingKeyReader(method, key, options)
  const signer = assertionSigner(method, options, defaultType)
  const x5t = readX5t(method, options.x5t)
  const checkNamed = (keyId: string | undefined) => {
    if (options.keyNamed !== true || keyId !== undefined || x5t !== undefined) return
    throw new TypeError(`${method}: keyId: this or x5t must be given: the server finds the key by it`)
  }
  // What a function gives may bring its name along.
  if (typeof key !== 'function') checkNamed(options.keyId ?? ownNameOf(key))
  return {
    needsIssuer: signer.needsIssuer,
    async sign({ fresh, ...assertion }) {
      const { value, version } = await read(fresh)
      const keyId = options.keyId ?? value.keyId
      checkNamed(keyId)
      const header = { ...(keyId === undefined ? {} : { kid: keyId }), ...(x5t === undefined ? {} : { x5t }) }
      return { assertion: await signer.sign({ ...assertion, key: value, header }), version }
    },
  }
}

/** The options, with these defaults where the user said nothing. */
export function withAssertionDefaults<Options extends object>(options: Options, defaults: AssertionDefaults): Options {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return { ...defaults, ...(Object.fromEntries(given) as Options) }
}

function ownNameOf(key: Exclude<SigningKeySource, (...args: never) => unknown>): string | undefined {
  const { kid, keyId } = key as { readonly kid?: string; readonly keyId?: string }
  return kid ?? keyId
}

function readX5t(method: string, x5t: KeyAssertionOptions['x5t']): string | undefined {
  if (x5t === undefined || typeof x5t === 'string') return x5t
  return certificateThumbprint(`${method}: x5t.certificate`, x5t.certificate, 'sha1')
}
