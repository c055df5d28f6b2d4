// RFC 8252 §8.3 and RFC 6761 §6.3: the machine itself, where nobody else listens.
function isLoopback(hostname: string): boolean {
  return /^(?:localhost|.+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname)
}

/** `https:`, or `http:` where that is allowed. */
export function isSecureEnough(url: URL, allowInsecureRequests: boolean): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && (allowInsecureRequests || isLoopback(url.hostname)))
}
