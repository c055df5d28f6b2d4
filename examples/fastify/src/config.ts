/** What the service must know. README.md lists the variables. */
export interface Config {
  readonly host: string
  readonly port: number
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
  return {
    host: env['HOST'] ?? '127.0.0.1',
    port: Number(env['PORT'] ?? 3000),
    billing: {
      baseUrl: required('BILLING_URL'),
      issuer: required('BILLING_ISSUER'),
      clientId: required('BILLING_CLIENT_ID'),
      clientSecret: required('BILLING_CLIENT_SECRET'),
      scope: env['BILLING_SCOPE'] ?? 'invoices:read',
    },
  }
}
