import { Module } from '@nestjs/common'
import { CallerModule } from '../caller/caller.module.ts'
import { ProfileController } from './profile.controller.ts'
import { ProfileService } from './profile.service.ts'

@Module({ imports: [CallerModule], controllers: [ProfileController], providers: [ProfileService] })
export class ProfileModule {}
