import { Module } from '@nestjs/common'

/** What the service must know, from the environment. README.md lists the variables. */
export class Config {
  readonly host = process.env['HOST'] ?? '127.0.0.1'
  readonly port = Number(process.env['PORT'] ?? 3000)
  readonly billing = {
    baseUrl: required('BILLING_URL'),
    issuer: required('BILLING_ISSUER'),
    clientId: required('BILLING_CLIENT_ID'),
    privateKey: required('BILLING_PRIVATE_KEY'),
    keyId: required('BILLING_KEY_ID'),
    scope: process.env['BILLING_SCOPE'] ?? 'invoices:read',
  }
}

@Module({ providers: [Config], exports: [Config] })
export class ConfigModule {}

function required(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`The environment variable ${name} is not set`)
  return value
}
