import { BadGatewayException, Injectable } from '@nestjs/common'
import type { Upstream } from '@tokenwell/core'
import { InjectUpstream } from '@tokenwell/nestjs'

@Injectable()
export class ProfileService {
  constructor(@InjectUpstream('billingForCaller') private readonly billing: Upstream) {}

  /** The profile of whoever makes the current request: billing knows by the token whose it is. */
  async find(): Promise<unknown> {
    const response = await this.billing.fetch('/profile')
    if (response.ok) return response.json()
    await response.body?.cancel()
    throw new BadGatewayException(`Billing answered ${response.status}`)
  }
}
