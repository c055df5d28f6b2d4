/** Why the domain refuses a request. */
export class OracleError extends Error {
  readonly status: 400 | 401
  readonly code: string
  constructor(status: 400 | 401, code: string, description: string) {
    super(description)
    this.status = status
    this.code = code
  }
}

/** Client authentication failed. */
export function invalidClient(description: string): OracleError {
  return new OracleError(401, 'invalid_client', description)
}

/** All other refusals of a token request. */
export function badRequest(code: string, description: string): OracleError {
  return new OracleError(400, code, description)
}
