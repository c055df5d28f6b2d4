/** One challenge of a WWW-Authenticate header (RFC 9110 §11.6.1). */
export interface Challenge {
  /** In lower case: schemes are case-insensitive. */
  readonly scheme: string
  readonly token68: string | undefined
  /** Names in lower case, values without their quotes. */
  readonly parameters: ReadonlyMap<string, string>
}

const maxLength = 8 * 1024
const maxChallenges = 16
const tokenChar = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/
const token68Char = /[A-Za-z0-9\-._~+/]/

/**
 * Reads every challenge of every WWW-Authenticate value (RFC 9110 §11.2, §11.3). What is malformed is left out from where it
 * goes wrong to the end of its value; so is a challenge that has a parameter twice. More than 8 KiB, or more than 16
 * challenges, are nobody's honest answer: none is read.
 */
export function parseChallenges(values: string | readonly string[] | undefined): readonly Challenge[] {
  const list = typeof values === 'string' ? [values] : (values ?? [])
  if (list.reduce((length, value) => length + value.length, 0) > maxLength) return []
  const challenges = list.flatMap((value) => [...challengesOf(new Reader(value))])
  return challenges.length > maxChallenges ? [] : challenges
}

function* challengesOf(reader: Reader): Generator<Challenge> {
  for (;;) {
    reader.skip(/[ \t,]/)
    const scheme = reader.take(tokenChar)
    if (scheme === '') return
    const spaced = reader.skip(/[ \t]/) > 0
    if (!spaced && !reader.atSeparator()) return
    const token68 = spaced ? readToken68(reader) : undefined
    const parameters = token68 === undefined && spaced ? readParameters(reader) : new Map<string, string>()
    if (parameters === 'malformed') return
    if (parameters !== 'repeated') yield { scheme: scheme.toLowerCase(), token68, parameters }
  }
}

function readToken68(reader: Reader): string | undefined {
  const start = reader.position
  const text = reader.take(token68Char) + reader.take(/=/)
  reader.skip(/[ \t]/)
  if (text !== '' && reader.atSeparator() && !text.startsWith('=')) {
    // `Bearer realm` is a scheme and half a parameter as well as a token68; nobody sends the former.
    return text
  }
  reader.position = start
  return undefined
}

function readParameters(reader: Reader): Map<string, string> | 'malformed' | 'repeated' {
  const parameters = new Map<string, string>()
  let repeated = false
  for (;;) {
    const start = reader.position
    const name = reader.take(tokenChar).toLowerCase()
    reader.skip(/[ \t]/)
    // Not a parameter: the next challenge's scheme, or the end.
    if (name === '' || !reader.accept('=')) {
      reader.position = start
      if (parameters.size === 0 && !reader.atSeparator()) return 'malformed'
      return repeated ? 'repeated' : parameters
    }
    reader.skip(/[ \t]/)
    const value = reader.accept('"') ? readQuoted(reader) : reader.take(tokenChar) || undefined
    if (value === undefined) return 'malformed'
    repeated ||= parameters.has(name)
    parameters.set(name, value)
    reader.skip(/[ \t]/)
    if (!reader.atSeparator()) return 'malformed'
    reader.skip(/[ \t,]/)
  }
}

function readQuoted(reader: Reader): string | undefined {
  let value = ''
  for (let char = reader.next(); char !== undefined; char = reader.next()) {
    if (char === '"') return value
    const escaped = char === '\\' ? reader.next() : char
    if (escaped === undefined) return undefined
    value += escaped
  }
  return undefined
}

/** A text and how far it was read. */
class Reader {
  position = 0
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  next(): string | undefined {
    return this.#text[this.position++]
  }

  accept(char: string): boolean {
    if (this.#text[this.position] !== char) return false
    this.position += 1
    return true
  }

  take(chars: RegExp): string {
    const start = this.position
    this.skip(chars)
    return this.#text.slice(start, this.position)
  }

  skip(chars: RegExp): number {
    const start = this.position
    while (this.position < this.#text.length && chars.test(this.#text[this.position] ?? '')) this.position += 1
    return this.position - start
  }

  /** At a comma, or at the end. */
  atSeparator(): boolean {
    return this.position >= this.#text.length || this.#text[this.position] === ','
  }
}
