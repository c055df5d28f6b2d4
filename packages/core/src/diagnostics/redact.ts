const replacement = '[redacted]'
const maxLength = 500

/** Form parameters that everybody may see; any other may be a credential. */
const publicParameters = new Set([
  'actor_token_type',
  'audience',
  'authorization_details',
  'client_assertion_type',
  'client_id',
  'grant_type',
  'redirect_uri',
  'requested_token_type',
  'resource',
  'scope',
  'subject_token_type',
])
/** These are, however short; what a user adds counts when it is long enough not to be part of every other word. */
const secretName = /token|secret|assertion|password|code|api_?key/i
const shortestOther = 6

/** Does a member of this name hold a credential? */
export function isSecretName(name: string): boolean {
  return secretName.test(name) && !publicParameters.has(name)
}

// A JWS or JWE in compact form, an Authorization value, and anything long enough to be an opaque token.
const tokenShapes = /\beyJ[\w-]*\.[\w-]*(?:\.[\w-]*)*|\b(?:Bearer|Basic|DPoP)\s+[^\s"',]+|[\w-]{48,}/gi

/**
 * Text from outside made fit for an error: `secrets` and whatever looks like a token are cut out of it, control
 * characters become spaces, and it ends after 500 characters.
 */
export function redactText(text: string, secrets: Iterable<string> = []): string {
  let clean = text
  for (const secret of secrets) {
    if (secret.length > 0) clean = clean.replaceAll(secret, replacement)
  }
  clean = clean.replace(tokenShapes, replacement).replace(/\p{Cc}+/gu, ' ')
  return clean.length > maxLength ? `${clean.slice(0, maxLength)}…` : clean
}

/** Everything that a token request proves itself with, as sent and in the encodings in which an answer may repeat it. */
export function secretsOf(body: URLSearchParams, authorization: string | null | undefined): string[] {
  const secrets = [...body]
    .filter(([name, value]) => !publicParameters.has(name) && (secretName.test(name) || value.length >= shortestOther))
    .map(([, value]) => value)
  const credentials = authorization?.split(' ')[1]
  if (credentials !== undefined) {
    const decoded = Buffer.from(credentials, 'base64').toString()
    const password = decoded.slice(decoded.indexOf(':') + 1)
    secrets.push(credentials, password, decodedOrSame(password))
  }
  const forms = secrets.flatMap((secret) => {
    const form = new URLSearchParams({ v: secret }).toString().slice(2)
    return [secret, form, decodedOrSame(form), encodeURIComponent(secret.toWellFormed())]
  })
  // The longest first: a secret may be part of another one.
  return [...new Set(forms)].filter((secret) => secret.length > 0).toSorted((a, b) => b.length - a.length)
}

function decodedOrSame(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/**
 * An error of a library, without what the library hung on it: oauth4webapi's `cause` holds response bodies, undici's
 * parser error the bytes it stumbled over. Name, code, cleaned message and the chain of causes stay.
 */
export function redactedCause(error: unknown, secrets: readonly string[] = [], depth = 0): unknown {
  if (!(error instanceof Error)) return error === undefined ? undefined : new Error(`${typeof error} thrown`)
  const copy = new Error(redactText(error.message, secrets))
  copy.name = error.name
  const code = (error as { code?: unknown }).code
  if (typeof code === 'string') Object.assign(copy, { code })
  // The frames are worth keeping, the first line repeats the message as it was.
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? []
  copy.stack = [`${copy.name}: ${copy.message}`, ...frames].join('\n')
  if (depth < 4) {
    if (error.cause instanceof Error) copy.cause = redactedCause(error.cause, secrets, depth + 1)
    if (error instanceof AggregateError) {
      copy.cause ??= redactedCause(error.errors[0], secrets, depth + 1)
    }
  }
  return copy
}
