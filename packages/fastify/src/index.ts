export { tokenwell, tokenwell as default } from './tokenwell.ts'
export type { TokenwellOptions } from './tokenwell.ts'
