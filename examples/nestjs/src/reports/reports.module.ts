import { Module } from '@nestjs/common'
import { OpenInvoicesReport } from './open-invoices.report.ts'
import { ReportsController } from './reports.controller.ts'

@Module({ controllers: [ReportsController], providers: [OpenInvoicesReport] })
export class ReportsModule {}
