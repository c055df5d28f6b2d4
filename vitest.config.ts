import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

// A shared machine may be slow; nothing here waits this long when it is right.
const patience = { testTimeout: 30_000, hookTimeout: 60_000, expect: { poll: { timeout: 10_000 } } }
const packages = ['core', 'express', 'fastify', 'opentelemetry', 'redis', 'testing']
const examples = ['express', 'fastify', 'nestjs', 'worker', 'demo']
// Several files need a Redis: where there is none, one of them installs it, before all of them.
const setupOf = (name: string) =>
  name === 'redis' ? { globalSetup: [`${import.meta.dirname}/packages/redis/test/global-setup.ts`] } : {}
// Nest's decorators are the legacy ones, which oxc compiles only when told.
const oxc = { decorator: { legacy: true, emitDecoratorMetadata: true } }
const nest = { root: 'packages/nestjs', include: ['test/**/*.test.ts'], ...patience }
// What our module and its tests import of Nest is then version 11; what those packages import is so by itself.
const nest11 = [
  { find: /^@nestjs\//, replacement: join(import.meta.dirname, 'packages/nestjs-11/node_modules/@nestjs/') },
]

export default defineConfig({
  test: {
    projects: [
      ...packages.map((name) => ({
        test: { name, root: `packages/${name}`, include: ['test/**/*.test.ts'], ...setupOf(name), ...patience },
      })),
      { oxc, test: { name: 'nestjs', ...nest } },
      { oxc, test: { name: 'nestjs-11', ...nest, alias: nest11 } },
      {
        test: { name: 'fetch-clients', root: 'examples/fetch-clients', include: ['test/**/*.test.ts'], ...patience },
      },
      ...examples.map((name) => ({
        oxc,
        test: { name: `example-${name}`, root: `examples/${name}`, include: ['test/**/*.test.ts'], ...patience },
      })),
      { test: { name: 'scripts', root: 'scripts', include: ['*.test.ts'], ...patience } },
    ],
  },
})
