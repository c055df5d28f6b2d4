import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { versionOf, type CredentialReader, type Reading } from './reading.ts'

const lookAgainAfterMs = 1000
const maxBytes = 1024 * 1024
// Whoever writes a file over empties it first.
const emptyAgainAfterMs = 200
// A mount that hangs may come back; who waits for it does not.
const hungAfterMs = 10_000
// Opening a pipe that nobody writes to would wait for ever. Windows has no such flag.
const flags = constants.O_RDONLY | constants.O_NONBLOCK

interface Known extends Reading<string> {
  readonly identity: string
}

/**
 * Reads a file that may be replaced at any time, whether written over, renamed into place or reached by a symbolic link.
 * Rejects when it is missing, no regular file, empty twice in 200 ms or over 1 MiB; the message has `option` in it, neither the path nor the content.
 */
export function fileReader(option: string, path: string): CredentialReader<string> {
  if (path === '') throw new TypeError(`${option}: file: expected the path of a file`)
  let known: Known | undefined
  let lookedAt = Number.NEGATIVE_INFINITY
  let looking: Promise<Known> | undefined
  let lookingSince = 0

  async function look(fresh: boolean): Promise<Known> {
    const file = await open(path, flags)
    try {
      // Of what was opened, not of the path, which may lead to another file by now.
      const stat = await file.stat({ bigint: true })
      if (!stat.isFile()) throw new TypeError('not a regular file')
      const { dev, ino, size, mtimeNs, ctimeNs } = stat
      const identity = [dev, ino, size, mtimeNs, ctimeNs].join(' ')
      if (known?.identity === identity && !fresh) return known
      const bytes = await buffer(file.createReadStream({ end: maxBytes, autoClose: false }))
      if (bytes.length > maxBytes) throw new RangeError(`${option}: the file is over ${maxBytes} bytes`)
      const value = withoutLastNewline(bytes.toString('utf8'))
      if (value === '') throw new EmptyFileError(`${option}: the file is empty`)
      return { value, version: versionOf(value), identity }
    } finally {
      await file.close()
    }
  }

  async function lookTwice(fresh: boolean): Promise<Known> {
    try {
      return await look(fresh)
    } catch (error) {
      if (!(error instanceof EmptyFileError)) throw error
      await setTimeout(emptyAgainAfterMs)
      return await look(true)
    }
  }

  function joinLook(fresh: boolean): Promise<Known> {
    if (looking !== undefined && performance.now() - lookingSince < hungAfterMs) return looking
    const keep = (found: Known) => {
      // One that hung may end after a later one, with what was there before.
      if (looking !== mine) return found
      known = found
      lookedAt = performance.now()
      return found
    }
    const mine: Promise<Known> = lookTwice(fresh)
      .then(keep)
      .finally(() => {
        if (looking === mine) looking = undefined
      })
    lookingSince = performance.now()
    looking = mine
    return mine
  }

  return async (fresh) => {
    if (known !== undefined && !fresh && performance.now() - lookedAt < lookAgainAfterMs) return known
    try {
      return await joinLook(fresh)
    } catch (error) {
      throw error instanceof RangeError ? error : unreadable(option, error)
    }
  }
}

class EmptyFileError extends RangeError {}

// Editors and `echo` leave one; a secret that ends with two is taken at its word.
function withoutLastNewline(text: string): string {
  return text.replace(/\r?\n$/, '')
}

// Node's own message holds the path.
function unreadable(option: string, error: unknown): Error {
  const code = (error as { readonly code?: unknown }).code
  return Object.assign(new Error(`${option}: the file cannot be read`), typeof code === 'string' ? { code } : {})
}
