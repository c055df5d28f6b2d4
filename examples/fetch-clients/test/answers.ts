import type { RequestListener } from 'node:http'
import { expect, it } from 'vitest'
import { realSetting, scriptedSetting, type Target } from './support.ts'

// Code that was written for the fetch of Node.js asks for its classes.

/** A response must be of this Node, where a library shows one. */
export function itGivesItsResponse(show: (target: Target) => Promise<Response | undefined>): void {
  it('an answer is a Response of this Node, with its Headers', async () => {
    const response = await show(await realSetting())
    expect(response).toBeInstanceOf(Response)
    expect(response?.headers).toBeInstanceOf(Headers)
  })
}

/** Headers must be of this Node, where a library shows no more. */
export function itGivesItsHeaders(serve: RequestListener, show: (target: Target) => Promise<Headers>): void {
  it('headers of an answer are Headers of this Node', async () => {
    expect(await show(await realSetting(serve))).toBeInstanceOf(Headers)
  })
}

/** So must a form, or it could not be sent on: another class becomes the text `[object FormData]`. */
export function itGivesItsForm(read: (target: Target) => Promise<unknown>): void {
  it('an answer read as a form is a FormData of this Node', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const form = await read(await scriptedSetting({ headers, body: 'customer=Jo&amount=12' }))
    expect(form).toBeInstanceOf(FormData)
    expect([...(form as FormData)]).toEqual([
      ['customer', 'Jo'],
      ['amount', '12'],
    ])
  })
}
