import 'reflect-metadata'

import { All, Controller, Module } from '@nestjs/common'
import type { Upstream } from '@tokenwell/core'
import { tap } from 'rxjs'

import { InjectUpstream, TokenwellModule } from '../src/index.ts'
import { adapterSuite } from '@tokenwell/adapter-suite'
import { installed } from './answers.ts'
import { create, listen, nestMajor, platforms } from './applications.ts'

for (const { platform, createAdapter } of platforms) {
  const name = `Nest ${nestMajor} on ${platform}`
  adapterSuite(name, async ({ upstreams, options, handler = async () => ({}), onError }) => {
    @Controller('orders')
    class Orders {
      constructor(@InjectUpstream('billing') private readonly billing: Upstream) {}

      @All(':id')
      get() {
        return handler(this.billing)
      }
    }
    @Module({
      imports: [TokenwellModule.forRoot({ upstreams, ...options })],
      controllers: [Orders],
      providers: [installed],
    })
    class App {}
    const app = await create(App, createAdapter())
    app.useGlobalInterceptors({
      intercept: (_context, next) => next.handle().pipe(tap({ error: (error: unknown) => onError?.(error) })),
    })
    return listen(app)
  })
}
