import { Controller, Get, Param } from '@nestjs/common'
import { OrdersService, type Order } from './orders.service.ts'

@Controller('orders')
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Get(':id')
  find(@Param('id') id: string): Promise<Order> {
    return this.orders.find(id)
  }
}
