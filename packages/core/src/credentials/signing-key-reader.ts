import type { CredentialFile, CredentialProvider } from '../oauth/client-auth.ts'
import type { PrivateKey } from '../oauth/private-key.ts'
import { readSigningKey, type ExternalSigner, type SigningKey, type SigningKeyOptions } from '../oauth/signing-key.ts'
import { askProvider, isFile } from './credential-reader.ts'
import { fileReader } from './file-reader.ts'
import type { CredentialReader } from './reading.ts'

type Key = PrivateKey | ExternalSigner

/** A private key, what signs with one, or where one is found. */
export type SigningKeySource = Key | CredentialFile | CredentialProvider<Key>

/**
 * A reader of what users give for a key. One that is given as it is, is read at once, so that a wrong one is found when
 * the service starts. `method` comes first in messages, which tell nothing of the key.
 */
export function signingKeyReader(
  method: string,
  source: SigningKeySource,
  options: SigningKeyOptions,
): CredentialReader<SigningKey> {
  if (isFile(source)) {
    const read = fileReader(`${method}: key`, source.file)
    return async (fresh) => {
      const { value, version } = await read(fresh)
      return { value: readSigningKey(method, value, options), version }
    }
  }
  if (typeof source === 'function') {
    const changes = countChanges()
    return async () => {
      const { value, version } = await askProvider(`${method}: key`, source)
      const key = readSigningKey(method, value, options)
      return { value: key, version: version ?? key.version ?? changes(value) }
    }
  }
  const key = readSigningKey(method, source, options)
  return async () => ({ value: key, version: undefined })
}

/** Versions for what can only be told by its being another object than the last. */
function countChanges(): (value: unknown) => string {
  let last: unknown
  let count = 0
  return (value) => {
    if (value !== last) count += 1
    last = value
    return `${count}`
  }
}
