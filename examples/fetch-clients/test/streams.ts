import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import type { CallOptions } from './calls.ts'
import { rejection, scriptedSetting, servedSetting, type Target } from './support.ts'

/** A POST whose body is a stream must not be held back. */
export function itUploads(upload: (target: Target, body: ReadableStream<Uint8Array>) => Promise<unknown>): void {
  it('a body that is a stream is sent as it comes', async () => {
    const arrived = Promise.withResolvers<void>()
    let received = ''
    const target = await servedSetting((request, response) => {
      request.setEncoding('utf8').on('data', (piece: string) => {
        received += piece
        arrived.resolve()
      })
      request.on('end', () => response.setHeader('content-type', 'application/json').end('{}'))
    })
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield encoder.encode('first ')
      await arrived.promise
      yield encoder.encode('second')
    }
    await upload(target, ReadableStream.from(pieces()))
    expect(received).toBe('first second')
  })
}

/** How a library gives an answer as a stream. */
export interface Download {
  readonly start: (target: Target, options: CallOptions) => Promise<ReadableStream<Uint8Array> | null | undefined>
  /** What reading it ends with when the caller aborts it. Throws if it is not that. */
  readonly expectAborted: (error: unknown) => void
}

/** A GET whose answer is a stream must not be held back either. */
export function describeDownload({ start, expectAborted }: Download): void {
  const begin = async (target: Target, options: CallOptions): Promise<ReadableStream<Uint8Array>> => {
    const body = await start(target, options)
    if (body === null || body === undefined) throw new Error('there is no body')
    return body
  }

  describe('an answer that is a stream', () => {
    it('is read as it comes', async () => {
      const read = Promise.withResolvers<void>()
      const target = await servedSetting((_request, response) => {
        response.writeHead(200, { 'content-type': 'text/plain' }).write('first ')
        void read.promise.then(() => response.end('second'))
      })
      const pieces: string[] = []
      for await (const piece of await begin(target, {})) {
        pieces.push(decoder.decode(piece))
        read.resolve()
      }
      expect(pieces).toEqual(['first ', 'second'])
    })

    it('ends when the caller aborts it, and leaves no connection', async () => {
      const { api, ...target } = await scriptedSetting({ endless: true })
      const controller = new AbortController()
      const failed = rejection(text(await begin(target, { signal: controller.signal })))
      controller.abort()
      expectAborted(await failed)
      await expect.poll(() => api.openConnectionCount).toBe(0)
    })
  })
}

const [encoder, decoder] = [new TextEncoder(), new TextDecoder()]
