import { Module } from '@nestjs/common'

/** What the service must know, from the environment. README.md lists the variables. */
export class Config {
  readonly host = process.env['HOST'] ?? '127.0.0.1'
  readonly port = Number(process.env['PORT'] ?? 3000)
  /** How long requests under way may take once the service was asked to end, in milliseconds. */
  readonly graceMs = Number(process.env['GRACE_MS'] ?? 10_000)
  /** The authorization server, and what this service is to it. */
  readonly login = {
    issuer: required('ISSUER'),
    clientId: required('CLIENT_ID'),
    privateKey: required('PRIVATE_KEY'),
    keyId: required('KEY_ID'),
  }
  /** Whose access tokens it takes. */
  readonly callers = { issuer: this.login.issuer, jwksUri: required('JWKS_URI'), audience: required('AUDIENCE') }
  readonly billingUrl = required('BILLING_URL')
}

@Module({ providers: [Config], exports: [Config] })
export class ConfigModule {}

function required(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`The environment variable ${name} is not set`)
  return value
}
