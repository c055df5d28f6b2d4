import 'reflect-metadata'

import { All, Controller, Module } from '@nestjs/common'
import type { Upstream } from '@tokenwell/core'
import { tap } from 'rxjs'

import { InjectUpstream, TokenwellModule } from '../src/index.ts'
import { adapterSuite } from '@tokenwell/adapter-suite'
import { create, listen, platforms } from './applications.ts'

for (const { platform, createAdapter } of platforms) {
  adapterSuite(`Nest 12 on ${platform}`, async ({ upstreams, options, handler = async () => ({}), onError }) => {
    @Controller('orders')
    class Orders {
      constructor(@InjectUpstream('billing') private readonly billing: Upstream) {}

      @All(':id')
      get() {
        return handler(this.billing)
      }
    }
    @Module({ imports: [TokenwellModule.forRoot({ upstreams, ...options })], controllers: [Orders] })
    class App {}
    const app = await create(App, createAdapter())
    app.useGlobalInterceptors({
      intercept: (_context, next) => next.handle().pipe(tap({ error: (error: unknown) => onError?.(error) })),
    })
    return listen(app)
  })
}
