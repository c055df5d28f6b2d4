import type { CredentialFile, CredentialProvider, Versioned } from '../oauth/client-auth.ts'
import { fileReader } from './file-reader.ts'
import { versionOf, type CredentialReader, type Reading } from './reading.ts'

/**
 * A reader of what users give for a text: the text itself, a file, or a function. `option` comes first in messages.
 * Throws a `TypeError` for anything else, and the reader for a file or a function that has none.
 */
export function textReader(option: string, source: unknown): CredentialReader<string> {
  if (typeof source === 'string' && source.length > 0) return async () => ({ value: source, version: undefined })
  if (isFile(source)) return fileReader(option, source.file)
  if (typeof source === 'function') return providerReader(option, source as CredentialProvider<string>)
  throw new TypeError(`${option}: expected a non-empty string, a function that gives one, or { file }`)
}

/** Is it a file's path, and not a key that happens to be an object? */
export function isFile(source: unknown): source is CredentialFile {
  return typeof (source as Partial<CredentialFile> | null | undefined)?.file === 'string'
}

/** What a provider gives, with the version beside it if it told one. */
export async function askProvider<Value>(option: string, provider: CredentialProvider<Value>): Promise<Reading<Value>> {
  const given = await provider()
  if (!isVersioned(given)) return { value: given, version: undefined }
  if (typeof given.version === 'string') return given
  throw new TypeError(`${option}: the version that the provider gives must be a string`)
}

function providerReader(option: string, provider: CredentialProvider<string>): CredentialReader<string> {
  return async () => {
    const { value, version } = await askProvider<unknown>(option, provider)
    if (typeof value !== 'string' || value.length === 0) {
      throw new TypeError(`${option}: the provider must give a non-empty string`)
    }
    return { value, version: version ?? versionOf(value) }
  }
}

function isVersioned<Value>(given: Value | Versioned<Value>): given is Versioned<Value> {
  return typeof given === 'object' && given !== null && 'value' in given && 'version' in given
}
