import { Module } from '@nestjs/common'
import { APP_FILTER } from '@nestjs/core'
import { ScheduleModule } from '@nestjs/schedule'
import { TokenwellExceptionFilter } from '@tokenwell/nestjs'
import { ConfigModule } from './config.ts'
import { HealthModule } from './health/health.module.ts'
import { OrdersModule } from './orders/orders.module.ts'
import { ProfileModule } from './profile/profile.module.ts'
import { ReportsModule } from './reports/reports.module.ts'
import { upstreamsModule } from './upstreams.ts'

@Module({
  imports: [
    ConfigModule,
    upstreamsModule,
    ScheduleModule.forRoot(),
    OrdersModule,
    ProfileModule,
    ReportsModule,
    HealthModule,
  ],
  providers: [{ provide: APP_FILTER, useClass: TokenwellExceptionFilter }],
})
export class AppModule {}
