/**
 * A JSON value in a form that JSON.stringify writes the same for objects that mean the same: to be hashed or compared, not to
 * be read again.
 */
export function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== 'object' || value === null) return value
  // RFC 8785 §3.2.3 for the members' order; numbers and strings are written by JSON.stringify as it prescribes.
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  // Pairs, since an object puts integer-like names first whatever the order they came in. Wrapped, so that no array of
  // pairs can be mistaken for an object.
  return { members: entries.map(([name, member]) => [name, canonical(member)]) }
}
