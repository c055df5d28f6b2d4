/** undici's dispatcher, for those who name it and do not run it. */
export type { Dispatcher } from 'undici'
