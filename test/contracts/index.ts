// The contracts of a store as tests, which every store passes.

export type { ContractTest } from './contract-test.js'
export { configStoreSuite, type OpenConfigs, type OpenConfigStores } from './config-store.js'
export { eventLogSuite, type OpenLog, type OpenLogs } from './event-log.js'
