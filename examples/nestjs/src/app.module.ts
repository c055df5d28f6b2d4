import { Module } from '@nestjs/common'
import { createUpstreams, privateKeyJwt } from '@tokenwell/core'
import { TokenwellModule } from '@tokenwell/nestjs'
import { Config, ConfigModule } from './config.ts'
import { OrdersController } from './orders.controller.ts'
import { OrdersService } from './orders.service.ts'

@Module({
  imports: [
    ConfigModule,
    TokenwellModule.forRootAsync({
      imports: [ConfigModule],
      inject: [Config],
      useFactory: ({ billing }: Config) => ({
        upstreams: createUpstreams({
          billing: {
            baseUrl: billing.baseUrl,
            oauth: {
              issuer: billing.issuer,
              clientId: billing.clientId,
              clientAuth: privateKeyJwt(billing.privateKey, { keyId: billing.keyId }),
              scope: billing.scope,
            },
          },
        }),
      }),
    }),
  ],
  controllers: [OrdersController],
  providers: [OrdersService],
})
export class AppModule {}
