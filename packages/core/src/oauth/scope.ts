/** What a caller may write for scope, resource or audience. */
export type OneOrMany = string | readonly string[]

/** Scope values as a set (RFC 6749 §3.3): split on spaces, each once, sorted. The order never means anything. */
export function scopeSet(scope: OneOrMany | undefined): readonly string[] {
  const text = typeof scope === 'string' ? scope : (scope ?? []).join(' ')
  return sortedSet(text.split(' ').filter((value) => value.length > 0))
}

/** Each value once, sorted by code unit. */
export function sortedSet(values: OneOrMany | undefined): readonly string[] {
  const list = typeof values === 'string' ? [values] : (values ?? [])
  return [...new Set(list)].toSorted()
}
