import type { ClientAuthAttempt, Secrets } from '../oauth/client-auth.ts'
import { textReader } from '../credentials/credential-reader.ts'
import { isSecondTry, versionOf, type CredentialReader, type Reading } from '../credentials/reading.ts'

/** Reads the secret for one attempt: the current one, or the one before if the current one has just been refused. */
export type SecretReader = (attempt: ClientAuthAttempt | undefined) => Promise<Reading<string>>

/**
 * Makes a reader of what the user gave as secret. `method` comes first in messages.
 * Throws a `TypeError`, without the value, unless it is a text, a file or a provider, or a pair of these.
 */
export function secretReader(method: string, secrets: Secrets): SecretReader {
  const option = `${method}: secret`
  if (!isPair(secrets)) {
    const read = textReader(option, secrets)
    return (attempt) => read(isSecondTry(attempt))
  }
  const readers = secrets.map((secret, index) => versioned(textReader(`${option}[${index}]`, secret)))
  const [current, previous] = readers
  if (current === undefined || previous === undefined || readers.length > 2) {
    throw new TypeError(`${option}: expected the current secret and the one before`)
  }
  return async (attempt) => {
    const reading = await current(isSecondTry(attempt))
    const refused = reading.version !== undefined && attempt?.refused.has(reading.version) === true
    return refused ? previous(true) : reading
  }
}

function isPair(secrets: Secrets): secrets is Extract<Secrets, readonly unknown[]> {
  return Array.isArray(secrets)
}

// A text alone cannot change, but one of two must be told from the other.
function versioned(read: CredentialReader<string>): CredentialReader<string> {
  return async (fresh) => {
    const { value, version } = await read(fresh)
    return { value, version: version ?? versionOf(value) }
  }
}
