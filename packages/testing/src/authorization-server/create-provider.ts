// The package's main file prints a warning when Node.js is not a long-term support release; this one does not.
import { Provider } from 'oidc-provider/lib/provider.js'
import type { CryptoKey } from 'jose'

import { createSubjectTokenReader } from './grants/read-subject-token.ts'
import { registerJwtBearerGrant } from './grants/jwt-bearer-grant.ts'
import { registerTokenExchangeGrant } from './grants/token-exchange-grant.ts'
import { createProviderConfiguration, resourceInformation, type ProviderSettings } from './provider-configuration.ts'

/** An oidc-provider with all grants and all clients. Rejects on a client that cannot be registered. */
export async function createProvider(
  issuer: string,
  settings: ProviderSettings,
  publicKey: CryptoKey,
): Promise<Provider> {
  const provider = new Provider(issuer, await createProviderConfiguration(settings))
  provider.silent = true
  registerJwtBearerGrant(provider)
  registerTokenExchangeGrant(provider, createSubjectTokenReader(provider, publicKey), (resource) =>
    resourceInformation(settings, resource),
  )
  // Clients are otherwise checked when they are first used, which would show as a failing token request.
  for (const { clientId } of settings.clients) await provider.Client.find(clientId)
  return provider
}
