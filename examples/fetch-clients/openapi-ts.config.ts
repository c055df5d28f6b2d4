import { defineConfig } from '@hey-api/openapi-ts'

// The client is generated when the example is built, and is not kept: it brings the library's runtime along as source.
export default defineConfig({
  input: './src/billing.openapi.json',
  output: {
    path: 'dist/hey-api',
    module: { extension: '.ts' },
    // It does not compile under `exactOptionalPropertyTypes`, nor without the types of the DOM.
    header: ['// @ts-nocheck'],
  },
  plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'],
})
