/** What a contender is told before it starts. */
export interface Surroundings {
  /** What every call gets, by GET. */
  readonly apiUrl: string
  readonly tokenEndpoint: string
  readonly clientId: string
  readonly clientSecret: string
  /** The header of a token that lives as long as the run: all that a bare HTTP client is given, and for nobody else. */
  readonly fixedHeader: string
  /** How long its tokens live, for those whose margin must be chosen. */
  readonly lifetimeMs: number
}

/** A contender that is ready for its first call. It may have no token yet. */
export interface Running {
  /** Calls the API with a token, reads the answer to its end and resolves to its status. */
  call(): Promise<number>
  close(): Promise<void>
}

/** One way to call an API with a token of one's own. */
export interface Contender {
  /** As tables and charts show it. */
  readonly name: string
  readonly version: string
  /** Whose file is the same HTTP client with a fixed header; nothing where this is such a one itself. */
  readonly bare?: string
  /** Must not get a token before the first call, but where the header is fixed. */
  start(surroundings: Surroundings): Promise<Running>
}
