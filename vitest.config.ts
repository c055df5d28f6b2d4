import { defineConfig } from 'vitest/config'

// A shared machine may be slow; nothing here waits this long when it is right.
const patience = { testTimeout: 30_000, hookTimeout: 60_000, expect: { poll: { timeout: 10_000 } } }
const packages = ['core', 'express', 'fastify', 'nestjs', 'opentelemetry', 'testing']

export default defineConfig({
  test: {
    projects: [
      ...packages.map((name) => ({
        // Nest's decorators are the legacy ones, which oxc compiles only when told.
        oxc: name === 'nestjs' ? { decorator: { legacy: true, emitDecoratorMetadata: true } } : {},
        test: { name, root: `packages/${name}`, include: ['test/**/*.test.ts'], ...patience },
      })),
      {
        test: { name: 'fetch-clients', root: 'examples/fetch-clients', include: ['test/**/*.test.ts'], ...patience },
      },
      { test: { name: 'scripts', root: 'scripts', include: ['*.test.ts'], ...patience } },
    ],
  },
})
