import type { Dispatcher } from 'undici'

/** A call through `dispatch` that reads the answer and keeps nothing of it. Resolves to its status. */
export function dispatchOnce(dispatcher: Dispatcher, options: Dispatcher.DispatchOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    let status = 0
    dispatcher.dispatch(options, {
      onRequestStart() {},
      onResponseStart(_controller, statusCode) {
        status = statusCode
      },
      onResponseData() {},
      onResponseEnd() {
        resolve(status)
      },
      onResponseError(_controller, error) {
        reject(error)
      },
    })
  })
}
