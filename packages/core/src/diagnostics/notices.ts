import type { Clock } from '../clock.ts'

type Write = (fields: object, message?: string) => void

/** As much of a logger as is used here: pino's shape. */
export interface NoticeLog {
  readonly info: Write
  readonly warn: Write
  readonly error: Write
}

/** Something that somebody must act on. */
export interface Notice {
  readonly level: 'warn' | 'error'
  /** No token, secret or word of a server. */
  readonly fields: object
  /** What is the matter, and what to do. */
  readonly message: string
}

/** What a notice is about: one line for each, however many calls meet it. */
export type NoticeTopic = 'credential' | 'request' | 'server' | 'refused' | 'cache'

interface Standing {
  readonly notice: Notice
  writtenAt: number | undefined
}

const againAfterMs = 3_600_000
// What comes and goes is one thing.
const quietMs = 60_000

/**
 * Lines for an operator: one when something begins, one more each hour that it lasts, one when it is over. They go to the log
 * that was configured, else to that of the first call that meets the trouble and has one. Without any nothing is written.
 */
export class Notices {
  readonly #clock: Clock
  readonly #log: NoticeLog | undefined
  readonly #standing = new Map<NoticeTopic, Standing>()
  readonly #lastWritten = new Map<NoticeTopic, number>()

  constructor(clock: Clock, log: NoticeLog | undefined) {
    this.#clock = clock
    this.#log = log
  }

  /** True while something is the matter. */
  get stands(): boolean {
    return this.#standing.size > 0
  }

  raise(topic: NoticeTopic, notice: Notice, log?: NoticeLog): void {
    const before = this.#standing.get(topic)
    const standing = { notice, writtenAt: before?.writtenAt }
    this.#standing.set(topic, standing)
    this.#write(topic, standing, this.#log ?? log)
  }

  /** A call that meets what stands; `log` is its own. */
  tell(log: NoticeLog | undefined): void {
    if (this.#log !== undefined || log === undefined) return
    for (const [topic, standing] of this.#standing) this.#write(topic, standing, log)
  }

  /** Things are well again; `message` says so. */
  settle(topic: NoticeTopic, fields: object, message: string, log?: NoticeLog): void {
    const standing = this.#standing.get(topic)
    if (standing === undefined) return
    this.#standing.delete(topic)
    if (standing.writtenAt !== undefined) write(this.#log ?? log, 'info', fields, message)
  }

  #write(topic: NoticeTopic, standing: Standing, log: NoticeLog | undefined): void {
    if (log === undefined) return
    const now = this.#clock.monotonic()
    const last = standing.writtenAt ?? this.#lastWritten.get(topic)
    const pauseMs = standing.writtenAt === undefined ? quietMs : againAfterMs
    if (last !== undefined && now - last < pauseMs) return
    standing.writtenAt = now
    this.#lastWritten.set(topic, now)
    const { level, fields, message } = standing.notice
    write(log, level, fields, message)
  }
}

// A logger that throws is no reason for a call to fail.
function write(log: NoticeLog | undefined, level: 'info' | 'warn' | 'error', fields: object, message: string): void {
  try {
    log?.[level](fields, message)
  } catch {}
}
