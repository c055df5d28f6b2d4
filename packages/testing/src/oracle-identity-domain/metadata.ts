import type { Domain } from './domain.ts'

/** `/.well-known/openid-configuration`. */
export function openidConfiguration({ url, issuer }: Domain): object {
  return {
    issuer,
    authorization_endpoint: `${url}/oauth2/v1/authorize`,
    token_endpoint: `${url}/oauth2/v1/token`,
    userinfo_endpoint: `${url}/oauth2/v1/userinfo`,
    revocation_endpoint: `${url}/oauth2/v1/revoke`,
    introspect_endpoint: `${url}/oauth2/v1/introspect`,
    end_session_endpoint: `${url}/oauth2/v1/userlogout`,
    jwks_uri: `${url}/admin/v1/SigningCert/jwk`,
    scopes_supported: ['openid', 'profile', 'offline_access', 'email', 'address', 'phone', 'groups', 'get_groups'],
    response_types_supported: ['code', 'token', 'id_token', 'code token', 'code id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    claims_supported: ['aud', 'exp', 'iat', 'iss', 'jti', 'sub'],
    grant_types_supported: [
      'client_credentials',
      'password',
      'refresh_token',
      'authorization_code',
      'urn:ietf:params:oauth:grant-type:jwt-bearer',
    ],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_jwt'],
    token_endpoint_auth_signing_alg_values_supported: ['RS256'],
    userinfo_signing_alg_values_supported: ['none'],
    ui_locales_supported: ['en'],
    claims_parameter_supported: false,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    require_request_uri_registration: false,
  }
}

/** `/.well-known/idcs-configuration`, an older shape: the endpoints are one level down, and there is no issuer above. */
export function idcsConfiguration(domain: Domain): object {
  return {
    configuration: { version: '1' },
    'access-configuration': { asserter_endpoint: `${domain.url}/admin/v1/Asserter` },
    'openid-configuration': openidConfiguration(domain),
  }
}
