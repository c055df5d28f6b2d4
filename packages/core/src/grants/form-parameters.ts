import type { TokenParameters } from './grant.ts'

/** The parameters as the request's form has them. What is empty is left out: `scope=` means something else to a server. */
export function formParameters(parameters: TokenParameters): readonly (readonly [string, string])[] {
  return [
    ...(parameters.scope.length > 0 ? [['scope', parameters.scope.join(' ')] as const] : []),
    ...parameters.resource.map((value) => ['resource', value] as const),
    ...parameters.audience.map((value) => ['audience', value] as const),
    ...(parameters.authorizationDetails === undefined
      ? []
      : [['authorization_details', JSON.stringify(parameters.authorizationDetails)] as const]),
    ...parameters.parameters,
  ]
}
