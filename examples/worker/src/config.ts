/** What the worker must know. README.md lists the variables. */
export interface Config {
  /** The authorization server, and what this worker is to it. */
  readonly login: {
    readonly issuer: string
    readonly clientId: string
    readonly clientSecret: string
  }
  readonly billingUrl: string
  /** From the start of one run to that of the next. */
  readonly intervalMs: number
  /** How long a run may take. */
  readonly runMs: number
  /** How much longer a run may take once the worker was asked to end. */
  readonly graceMs: number
}

/** Reads the configuration. Throws if a variable without a default is not set, or not a number where it must be one. */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const required = (name: string): string => {
    const value = env[name]
    if (!value) throw new Error(`The environment variable ${name} is not set`)
    return value
  }
  const milliseconds = (name: string, byDefault: number): number => {
    const value = Number(env[name] ?? byDefault)
    // A timer takes what it cannot count for 1 ms.
    if (!(value > 0 && value < 2 ** 31))
      throw new Error(`The environment variable ${name} is not a time in milliseconds`)
    return value
  }
  return {
    login: { issuer: required('ISSUER'), clientId: required('CLIENT_ID'), clientSecret: required('CLIENT_SECRET') },
    billingUrl: required('BILLING_URL'),
    intervalMs: milliseconds('INTERVAL_MS', 60_000),
    runMs: milliseconds('RUN_MS', 10_000),
    graceMs: milliseconds('GRACE_MS', 5_000),
  }
}
