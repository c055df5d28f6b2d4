export { describeService, type ServiceUnderTest } from './service-suite.ts'
