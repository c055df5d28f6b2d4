export { instrumentTokenwell } from './instrument-tokenwell.ts'
export type { InstrumentTokenwellOptions, TokenwellInstrumentation } from './instrument-tokenwell.ts'
