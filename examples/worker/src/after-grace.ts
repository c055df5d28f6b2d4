/** A signal that aborts some time after another one did. Its timer keeps no process up. */
export function afterGrace(signal: AbortSignal, graceMs: number): AbortSignal {
  const controller = new AbortController()
  const end = () => controller.abort(new DOMException('The worker was asked to end', 'AbortError'))
  const wait = () => void setTimeout(end, graceMs).unref()
  if (signal.aborted) wait()
  else signal.addEventListener('abort', wait, { once: true })
  return controller.signal
}
