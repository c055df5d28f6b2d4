/** What the worker must know. README.md lists the variables. */
export interface Config {
  readonly intervalMs: number
  readonly billing: {
    readonly baseUrl: string
    readonly issuer: string
    readonly clientId: string
    readonly clientSecret: string
    readonly scope: string
  }
}

/** Reads the configuration. Throws if a variable without a default is not set. */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const required = (name: string): string => {
    const value = env[name]
    if (!value) throw new Error(`The environment variable ${name} is not set`)
    return value
  }
  const intervalMs = Number(env['INTERVAL_MS'] ?? 60_000)
  // A timer takes what is not a number for 1 ms.
  if (!(intervalMs > 0)) throw new Error('The environment variable INTERVAL_MS is not a number of milliseconds')
  return {
    intervalMs,
    billing: {
      baseUrl: required('BILLING_URL'),
      issuer: required('BILLING_ISSUER'),
      clientId: required('BILLING_CLIENT_ID'),
      clientSecret: required('BILLING_CLIENT_SECRET'),
      scope: env['BILLING_SCOPE'] ?? 'invoices:read',
    },
  }
}
