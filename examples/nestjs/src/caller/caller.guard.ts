import type { IncomingMessage } from 'node:http'
import { createParamDecorator, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common'
import { CallerService, type Caller } from './caller.service.ts'

type CheckedRequest = IncomingMessage & { caller?: Caller }

/** Lets callers in who may read their profile. */
@Injectable()
export class CallerGuard implements CanActivate {
  constructor(private readonly callers: CallerService) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<CheckedRequest>()
    request.caller = await this.callers.check(request.headers.authorization, 'profile:read')
    return true
  }
}

/** Who makes the request, as {@link CallerGuard} found out. */
export const CurrentCaller = createParamDecorator((_: unknown, context: ExecutionContext): Caller | undefined => {
  return context.switchToHttp().getRequest<CheckedRequest>().caller
})
