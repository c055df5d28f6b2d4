import type { Stage } from './stage.ts'
import { findUrl } from './start-example.ts'

/** Commands to try what is up. */
export async function howToTry({ examples, api }: Stage, signal: AbortSignal): Promise<string> {
  const services = examples.filter(({ caller }) => caller.kind === 'service')
  const commands = await Promise.all(
    services.map(async (service) => `curl -s ${await findUrl(service, signal)}/orders/42  # ${service.caller.name}`),
  )
  return [
    '',
    ...commands,
    `curl -si ${api.url}/v1/invoices/42  # the API itself, without a token`,
    '',
    "Add -H 'x-request-id: mine' or -H 'authorization: Bearer mine' and see what the API gets. Ctrl-C ends all.",
  ].join('\n')
}
