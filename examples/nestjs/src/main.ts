import { NestFactory } from '@nestjs/core'
import { AppModule } from './app.module.ts'
import { Config } from './config.ts'

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error', 'fatal'] })
// On SIGTERM and SIGINT the application closes, and the upstreams with it.
app.enableShutdownHooks()
const { host, port } = app.get(Config)
await app.listen(port, host)
console.log(`Orders: ${await app.getUrl()}/orders/42`)
