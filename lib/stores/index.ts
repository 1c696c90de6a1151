/**
 * Stores for the option `store`, and the interfaces that a store of your own implements.
 *
 * @module fastify-ws-events/stores
 */
export { type LmdbStoreOptions, lmdbStore } from './lmdb/index.js'
export { type MemoryStoreOptions, memoryStore } from './memory/index.js'
export { type IoredisClient, type RedisStoreOptions, redisStore } from './redis/index.js'
export { Ids, type IdsOptions, timeOf } from '../log/ids.js'
export { sizeOf } from '../log/event-log.js'
export type {
  EventLog,
  GapListener,
  KeyTable,
  LogAppend,
  LogEntry,
  LogListener,
  LogPage,
  LogRecord,
  LogStats,
  OnceRequest,
  OnceResult,
  Retention,
  StreamName,
  Watch
} from '../log/event-log.js'
export type {
  ConfigChange,
  ConfigStore,
  HostConfigs,
  OpenOptions,
  OpenStore,
  Peers,
  PendingLimits,
  Store,
  StoredConfig,
  StoreHealth,
  StoreLogger
} from './store.js'
