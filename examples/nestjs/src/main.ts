import { NestFactory } from '@nestjs/core'
import { AppModule } from './app.module.ts'
import { Config } from './config.ts'

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error', 'fatal'] })
const { host, port, graceMs } = app.get(Config)
const signals = ['SIGTERM', 'SIGINT']
// Then the application closes, and the upstreams with it, when the requests under way have been answered. What takes longer is cut off.
app.enableShutdownHooks(signals, { useProcessExit: true })
for (const signal of signals) {
  process.once(signal, () => setTimeout(() => app.getHttpServer().closeAllConnections(), graceMs).unref())
}
await app.listen(port, host)
console.log(`Orders: ${await app.getUrl()}/orders/42`)
