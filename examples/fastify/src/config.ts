/** What the service must know. README.md lists the variables. */
export interface Config {
  readonly host: string
  readonly port: number
  /** How long requests under way may take once the service was asked to end, in milliseconds. */
  readonly graceMs: number
  /** The authorization server, and what this service is to it. */
  readonly login: {
    readonly issuer: string
    readonly clientId: string
    readonly clientSecret: string
  }
  /** Whose access tokens it takes. */
  readonly callers: {
    readonly issuer: string
    readonly jwksUri: string
    readonly audience: string
  }
  readonly billingUrl: string
}

/** Reads the configuration. Throws if a variable without a default is not set. */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const required = (name: string): string => {
    const value = env[name]
    if (!value) throw new Error(`The environment variable ${name} is not set`)
    return value
  }
  const issuer = required('ISSUER')
  return {
    host: env['HOST'] ?? '127.0.0.1',
    port: Number(env['PORT'] ?? 3000),
    graceMs: Number(env['GRACE_MS'] ?? 10_000),
    login: { issuer, clientId: required('CLIENT_ID'), clientSecret: required('CLIENT_SECRET') },
    callers: { issuer, jwksUri: required('JWKS_URI'), audience: required('AUDIENCE') },
    billingUrl: required('BILLING_URL'),
  }
}
