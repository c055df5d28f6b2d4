import type { ReadableStreamDefaultReader, ReadableStreamReadResult } from 'node:stream/web'

const maxBytes = 1024 * 1024

/**
 * The bytes of a stream that is one in form only, as the body of a `Request` that was made of a text is; else a stream of
 * the same bytes. Waits for nothing: what has not ended before the next turn of the event loop, or after 1 MiB, is a stream.
 */
export async function readAtOnce(
  stream: ReadableStream<Uint8Array>,
): Promise<Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>> {
  const reader = stream.getReader()
  const chunks: Uint8Array[] = []
  const turn = Promise.withResolvers<undefined>()
  const immediate = setImmediate(() => turn.resolve(undefined))
  let pending = reader.read()
  try {
    for (let size = 0; size <= maxBytes;) {
      const result = await Promise.race([pending, turn.promise])
      if (result === undefined) break
      if (result.done) return Buffer.concat(chunks)
      size += result.value.byteLength
      chunks.push(result.value)
      pending = reader.read()
    }
  } finally {
    clearImmediate(immediate)
  }
  return resumed(chunks, pending, reader)
}

function resumed(
  chunks: Uint8Array[],
  pending: Promise<ReadableStreamReadResult<Uint8Array>>,
  reader: ReadableStreamDefaultReader<Uint8Array>,
): ReadableStream<Uint8Array> {
  let next: Promise<ReadableStreamReadResult<Uint8Array>> | undefined = pending
  // Whoever reads the stream learns of it; that may be nobody.
  pending.catch(() => {})
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const chunk = chunks.shift()
      if (chunk !== undefined) return controller.enqueue(chunk)
      const { done, value } = await (next ?? reader.read())
      next = undefined
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: (reason) => reader.cancel(reason),
  })
}
