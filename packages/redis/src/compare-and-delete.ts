import { compareAndDeleteScript } from './scripts.ts'

type Send = (key: string, args: readonly string[]) => Promise<unknown>
type Form = (key: string, value: string) => string[]

// Redis from 8.4, Valkey from 9.0, and everything else.
const forms: readonly Form[] = [
  (key, value) => ['DELEX', key, 'IFEQ', value],
  (key, value) => ['DELIFEQ', key, value],
  (key, value) => ['EVAL', compareAndDeleteScript, '1', key, value],
]

/** Deletes a key if it has a value, by the command that this server has: found out once, and again when it has gone. */
export class CompareAndDelete {
  readonly #send: Send
  #known = 0

  constructor(send: Send) {
    this.#send = send
  }

  async run(key: string, value: string): Promise<void> {
    const first = this.#known
    for (let tried = 0; tried < forms.length; tried++) {
      const index = (first + tried) % forms.length
      try {
        await this.#send(key, forms[index]?.(key, value) ?? [])
        this.#known = index
        return
      } catch (error) {
        if (!(error instanceof Error && /unknown command/i.test(error.message))) throw error
      }
    }
    throw new Error('the server can neither compare and delete nor run a script')
  }
}
