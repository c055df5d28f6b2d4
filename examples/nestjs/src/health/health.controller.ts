import { Controller, Get } from '@nestjs/common'
import { HealthCheck, HealthCheckService } from '@nestjs/terminus'
import { TokenwellHealthIndicator } from '@tokenwell/nestjs'

@Controller()
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly upstreams: TokenwellHealthIndicator,
  ) {}

  /** Whether this process should be started anew. Others that are down are no reason. */
  @Get('healthz')
  @HealthCheck()
  live() {
    return this.health.check([])
  }

  /** Whether requests should be sent here. */
  @Get('readyz')
  @HealthCheck()
  ready() {
    return this.health.check([() => this.upstreams.check('upstreams')])
  }
}
