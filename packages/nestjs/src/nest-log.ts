import { Logger } from '@nestjs/common'
import type { Log, LogMethod } from '@tokenwell/core'

/** Nest's logger, as applications have set it, for what an operator must act on. */
export function nestLog(): Log {
  const logger = new Logger('TokenwellModule')
  const write =
    (level: 'debug' | 'log' | 'warn' | 'error'): LogMethod =>
    (fields, message) =>
      logger[level]({ message, ...fields })
  return { debug: write('debug'), info: write('log'), warn: write('warn'), error: write('error') }
}
