import { registerHooks } from 'node:module'

// What vitest.config.ts does for the tests, done for the processes they start: `node --import` this file.
registerHooks({
  resolve(specifier, context, next) {
    const ours = specifier.startsWith('@nestjs/') && context.parentURL?.includes('/node_modules/') !== true
    return next(specifier, ours ? { ...context, parentURL: import.meta.url } : context)
  },
})
