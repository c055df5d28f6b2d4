import { runWorker } from './app.ts'
import { readConfig } from './config.ts'

const stop = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => stop.abort())

await runWorker(readConfig(process.env), (invoices) => console.log(JSON.stringify(invoices)), stop.signal)
