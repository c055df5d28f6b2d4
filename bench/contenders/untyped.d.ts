declare module 'undici-oidc-interceptor' {
  import type { Dispatcher } from 'undici-7'
  export function createOidcInterceptor(options: {
    clientId: string
    clientSecret: string
    idpTokenUrl: string
    retryOnStatusCodes: number[]
    urls: string[]
  }): Dispatcher.DispatcherComposeInterceptor
}

declare module 'axios-token-interceptor' {
  import type { InternalAxiosRequestConfig } from 'axios'
  interface TokenProvider {
    <T>(options: {
      getToken: () => Promise<T>
      headerFormatter: (token: T) => string
    }): (config: InternalAxiosRequestConfig) => Promise<InternalAxiosRequestConfig>
    tokenCache<T>(getToken: () => Promise<T>, options: { getMaxAge: (token: T) => number }): () => Promise<T>
  }
  const tokenProvider: TokenProvider
  export default tokenProvider
}
