export { tokenwell } from './tokenwell.ts'
export type { TokenwellOptions } from './tokenwell.ts'
