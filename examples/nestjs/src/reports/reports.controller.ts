import { Controller, Get, NotFoundException } from '@nestjs/common'
import { OpenInvoicesReport, type Report } from './open-invoices.report.ts'

@Controller('reports')
export class ReportsController {
  constructor(private readonly openInvoices: OpenInvoicesReport) {}

  @Get('open-invoices')
  latest(): Report {
    const { latest } = this.openInvoices
    if (latest === undefined) throw new NotFoundException('There is no report yet')
    return latest
  }
}
