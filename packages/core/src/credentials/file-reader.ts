import { open } from 'node:fs/promises'
import { versionOf, type CredentialReader, type Reading } from './reading.ts'

const lookAgainAfterMs = 1000
const maxBytes = 1024 * 1024

interface Known extends Reading<string> {
  readonly identity: string
}

/**
 * Reads a file that may be replaced at any time, whether written over, renamed into place or reached by a symbolic link.
 * Rejects when it is missing, empty or over 1 MiB; the message has `option` in it, neither the path nor the content.
 */
export function fileReader(option: string, path: string): CredentialReader<string> {
  if (path === '') throw new TypeError(`${option}: file: expected the path of a file`)
  let known: Known | undefined
  let lookedAt = Number.NEGATIVE_INFINITY
  let looking: Promise<Known> | undefined

  async function look(fresh: boolean): Promise<Known> {
    const file = await open(path, 'r')
    try {
      // Of what was opened, not of the path, which may lead to another file by now.
      const { dev, ino, size, mtimeNs, ctimeNs } = await file.stat({ bigint: true })
      const identity = [dev, ino, size, mtimeNs, ctimeNs].join(' ')
      if (known?.identity === identity && !fresh) return known
      if (size > maxBytes) throw new RangeError(`${option}: the file is over ${maxBytes} bytes`)
      const value = withoutLastNewline(await file.readFile('utf8'))
      if (value === '') throw new RangeError(`${option}: the file is empty`)
      return { value, version: versionOf(value), identity }
    } finally {
      await file.close()
    }
  }

  return async (fresh) => {
    if (known !== undefined && !fresh && performance.now() - lookedAt < lookAgainAfterMs) return known
    try {
      looking ??= look(fresh).finally(() => (looking = undefined))
      known = await looking
      lookedAt = performance.now()
      return known
    } catch (error) {
      throw error instanceof RangeError ? error : unreadable(option, error)
    }
  }
}

// Editors and `echo` leave one; a secret that ends with two is taken at its word.
function withoutLastNewline(text: string): string {
  return text.replace(/\r?\n$/, '')
}

// Node's own message holds the path.
function unreadable(option: string, error: unknown): Error {
  const code = (error as { readonly code?: unknown }).code
  return Object.assign(new Error(`${option}: the file cannot be read`), typeof code === 'string' ? { code } : {})
}
