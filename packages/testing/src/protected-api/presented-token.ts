/** How a token was presented, by the scheme's registered name. */
export type TokenScheme = 'Bearer' | 'DPoP'

/** The credentials of an Authorization header: absent, present, or present and malformed. */
export type PresentedToken =
  | { readonly scheme?: undefined; readonly token?: undefined }
  | { readonly scheme: TokenScheme; readonly token: string | undefined }

const schemes: Readonly<Record<string, TokenScheme>> = { bearer: 'Bearer', dpop: 'DPoP' }

/** Reads `Bearer` and `DPoP` credentials, RFC 6750 §2.1 and RFC 9449 §7.1. Another scheme counts as no token. */
export function presentedToken(authorization: string | undefined): PresentedToken {
  const [, name = '', rest = ''] = /^([^ ]+)(?: +(.*))?$/.exec(authorization ?? '') ?? []
  const scheme = schemes[name.toLowerCase()]
  if (scheme === undefined) return {}
  return { scheme, token: /^[A-Za-z0-9._~+/-]+=*$/.test(rest) ? rest : undefined }
}
