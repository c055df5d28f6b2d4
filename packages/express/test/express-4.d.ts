// Express 4 under another name. Only what both versions have is used of it, so Express 5's types will do.
declare module 'express-4' {
  export { default } from 'express'
}
