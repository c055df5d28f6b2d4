import { Controller, Get, UseGuards } from '@nestjs/common'
import { CallerGuard, CurrentCaller } from '../caller/caller.guard.ts'
import type { Caller } from '../caller/caller.service.ts'
import { ProfileService } from './profile.service.ts'

/** What callers may ask about themselves. */
@Controller('profile')
@UseGuards(CallerGuard)
export class ProfileController {
  constructor(private readonly profiles: ProfileService) {}

  @Get()
  async find(@CurrentCaller() { subject }: Caller) {
    return { subject, profile: await this.profiles.find() }
  }
}
