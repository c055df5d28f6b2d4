import type { RecordedRequest } from './recorded-request.ts'

interface DelayedReply {
  /** How long to wait before anything is sent, in milliseconds. Default: 0. */
  readonly delayMs?: number
}

/** A whole answer. */
export interface FullReply extends DelayedReply {
  /** Default: 200. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** Text and bytes are sent as they are; any other object as JSON, with its content type. Default: an empty body. */
  readonly body?: string | Uint8Array | object
}

/** The connection is reset (RST) instead of an answer. */
export interface ResetReply extends DelayedReply {
  readonly reset: true
}

/** Nothing is ever sent and the connection stays open. */
export interface HangReply {
  readonly hang: true
}

/** Only the first bytes of the body are sent, then the connection is closed (FIN). */
export interface TruncatedReply extends FullReply {
  /** How many bytes are sent. Content-Length always promises more. */
  readonly truncate: number
}

/** The body is sent in pieces; the headers, which have the whole Content-Length, come with the first. */
export interface SlowReply extends FullReply {
  readonly slowBody: {
    /** Size of a piece, in bytes; below 1 counts as 1. */
    readonly chunk: number
    /** Time between two pieces, in milliseconds. */
    readonly everyMs: number
  }
}

/** JSON that begins well and never ends; it stops when the peer closes the connection. */
export interface EndlessReply extends DelayedReply {
  readonly endless: true
  /** Default: 200. */
  readonly status?: number
}

/** A redirect without a body. */
export interface RedirectReply extends DelayedReply {
  /** The Location header, as it is. */
  readonly redirect: string | URL
  /** Default: 302. */
  readonly status?: number
}

/** Computes an answer. `index` is 0 for the server's first request. Throwing answers 500 with the error's message. */
export type ReplyFunction = (request: RecordedRequest, index: number) => StaticReply | Promise<StaticReply>

/** An answer that is the same whatever was asked. */
export type StaticReply = FullReply | ResetReply | HangReply | TruncatedReply | SlowReply | EndlessReply | RedirectReply

/** One step of a script. */
export type Reply = StaticReply | ReplyFunction
