import { describeService } from '@tokenwell/example-suite'
import { client, env } from './client.ts'

// As it is built: Node.js does not run decorators.
describeService({ main: new URL('../dist/main.js', import.meta.url), client, env })
