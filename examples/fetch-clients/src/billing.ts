/** An invoice to be made. */
export interface NewInvoice {
  readonly customer: string
  readonly amount: number
}

/** What the API answers: what it saw of the request. */
export interface Answer {
  readonly method: string
  readonly path: string
  readonly body?: string
}
