import { BadGatewayException, Injectable, NotFoundException } from '@nestjs/common'
import type { Upstream } from '@tokenwell/core'
import { InjectUpstream } from '@tokenwell/nestjs'

/** An order with its invoice. */
export interface Order {
  readonly id: string
  readonly invoice: unknown
}

@Injectable()
export class OrdersService {
  // One for all requests: in each of them it knows that request's trace context by itself.
  constructor(@InjectUpstream('billing') private readonly billing: Upstream) {}

  async find(id: string): Promise<Order> {
    // Without a token, or when billing cannot be reached, this rejects and TokenwellExceptionFilter answers.
    const response = await this.billing.fetch(`/invoices/${encodeURIComponent(id)}`)
    if (response.ok) return { id, invoice: await response.json() }
    // A body that nobody reads keeps its connection busy.
    await response.body?.cancel()
    if (response.status === 404) throw new NotFoundException(`There is no invoice for order ${id}`)
    throw new BadGatewayException(`Billing answered ${response.status}`)
  }
}
