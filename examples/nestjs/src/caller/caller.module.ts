import { Module } from '@nestjs/common'
import { APP_FILTER } from '@nestjs/core'
import { ConfigModule } from '../config.ts'
import { CallerExceptionFilter } from './caller.exception.ts'
import { CallerService } from './caller.service.ts'

@Module({
  imports: [ConfigModule],
  providers: [CallerService, { provide: APP_FILTER, useClass: CallerExceptionFilter }],
  exports: [CallerService],
})
export class CallerModule {}
