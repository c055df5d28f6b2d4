import type { Stage } from './stage.ts'
import { findUrl } from './start-example.ts'

/** Commands to try what is up. */
export async function howToTry({ examples, api, users }: Stage, signal: AbortSignal): Promise<string> {
  const services = examples.filter(({ caller }) => caller.kind === 'service')
  const commands = await Promise.all(
    services.map(async (service) => {
      const url = await findUrl(service, signal)
      const asUser = `-H "authorization: Bearer $${users[0]?.name.toUpperCase()}"`
      return [
        `curl -s ${url}/orders/42  # ${service.caller.name}`,
        `curl -si ${asUser} ${url}/profile`,
        `curl -s ${url}/readyz`,
      ]
    }),
  )
  return [
    '',
    ...users.map(({ name, token }) => `${name.toUpperCase()}=${token}`),
    '',
    ...commands.flat(),
    `curl -si ${api.url}/v1/invoices/42  # the API itself, without a token`,
    '',
    "Add -H 'x-request-id: mine' and see what the API gets; leave the user's token out, or change it. Ctrl-C ends all.",
  ].join('\n')
}
