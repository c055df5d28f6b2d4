import { defineConfig } from 'vitest/config'

const packages = ['core', 'express', 'fastify', 'nestjs', 'testing']

export default defineConfig({
  test: {
    projects: [
      ...packages.map((name) => ({
        // Nest's decorators are the legacy ones, which oxc compiles only when told.
        oxc: name === 'nestjs' ? { decorator: { legacy: true, emitDecoratorMetadata: true } } : {},
        test: { name, root: `packages/${name}`, include: ['test/**/*.test.ts'] },
      })),
      { test: { name: 'scripts', root: 'scripts', include: ['*.test.ts'] } },
    ],
  },
})
