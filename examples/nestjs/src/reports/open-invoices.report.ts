import { randomUUID } from 'node:crypto'
import { Injectable, type OnModuleDestroy } from '@nestjs/common'
import { Cron, CronExpression } from '@nestjs/schedule'
import type { Upstreams } from '@tokenwell/core'
import { InjectUpstreams } from '@tokenwell/nestjs'

/** What a run found. */
export interface Report {
  readonly at: string
  readonly invoices: unknown
}

/** Collects the open invoices every night. */
@Injectable()
export class OpenInvoicesReport implements OnModuleDestroy {
  #latest: Report | undefined
  #run: Promise<void> = Promise.resolve()

  constructor(@InjectUpstreams() private readonly upstreams: Upstreams<'billing'>) {}

  get latest(): Report | undefined {
    return this.#latest
  }

  // Runs never overlap, and Nest logs the error of one that fails.
  @Cron(CronExpression.EVERY_DAY_AT_3AM, { name: 'open-invoices', waitForCompletion: true })
  async collect(): Promise<void> {
    // There is no inbound request to take these from: each run has a correlation id and a deadline of its own, for all of
    // its calls together. It is shorter than the time that Kubernetes gives a pod to end.
    const context = { headers: { 'x-request-id': randomUUID() }, deadline: Date.now() + 10_000 }
    this.#run = this.upstreams.run(context, () => this.#ask())
    await this.#run
  }

  // The upstreams close after this.
  async onModuleDestroy(): Promise<void> {
    await Promise.allSettled([this.#run])
  }

  async #ask(): Promise<void> {
    const { statusCode, body } = await this.upstreams.billing.request('/invoices?state=open')
    if (statusCode !== 200) {
      await body.dump()
      throw new Error(`Billing answered ${statusCode}`)
    }
    this.#latest = { at: new Date().toISOString(), invoices: await body.json() }
  }
}
