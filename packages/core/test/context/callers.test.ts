import { expect, it } from 'vitest'
import { tokenSourceFor } from '../../src/create-token-source.ts'
import { clientSecretBasic, memoryTokenCache, tokenExchange } from '../../src/index.ts'
import { resolveOAuthOptions } from '../../src/options.ts'
import { TenantSource } from '../../src/source/tenant-source.ts'
import { expectEachItsOwn } from './callers.ts'

// regressions S2, S5, S7, J5
it('one caller never gets what was got for another: exchanged tokens', async () => {
  await expectEachItsOwn(
    {
      oauth: (tokenEndpoint, clock) => ({
        tokenEndpoint,
        clientId: 'orders',
        clientAuth: clientSecretBasic('s3cret'),
        grant: tokenExchange({ subjectToken: ({ subjectToken }) => subjectToken }),
        clock,
      }),
      contextOf: (name, version) => ({ subjectToken: `${name}/${version}` }),
      nameIn: ({ form }) => form.get('subject_token')?.split('/')[0] ?? '',
    },
    60,
  )
}, 120_000)

it('one tenant never gets what was got for another: even with one client, one cache, and sources that come and go', async () => {
  await expectEachItsOwn(
    {
      oauth: (tokenEndpoint, clock) => {
        const cache = memoryTokenCache()
        const make = (tenant: string) => {
          const clientAuth = clientSecretBasic(async () => `secret of ${tenant}`)
          const options = resolveOAuthOptions({ tokenEndpoint, clientId: 'orders', clientAuth, cache, clock }, '')
          return tokenSourceFor({ ...options, tenant }, undefined)
        }
        return new TenantSource({ upstream: undefined, maxTenants: 2, make })
      },
      contextOf: (name) => ({ tenant: name }),
      nameIn: ({ headers }) => {
        const [, secret = ''] = Buffer.from(headers.authorization?.slice(6) ?? '', 'base64')
          .toString()
          .split(':')
        expect(decodeURIComponent(secret)).toMatch(/^secret of \w+$/)
        return decodeURIComponent(secret).replace('secret of ', '')
      },
    },
    60,
  )
}, 120_000)
