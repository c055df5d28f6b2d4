import { describeService } from '@tokenwell/example-suite'

const secret = 'a secret: with 100 % + more'
describeService({
  main: new URL('../src/main.ts', import.meta.url),
  client: { clientId: 'orders', method: 'client_secret_basic', secret, scopes: ['invoices:read', 'profile:read'] },
  env: { CLIENT_SECRET: secret },
})
