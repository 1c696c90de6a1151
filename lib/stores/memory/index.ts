import type { OpenOptions, OpenStore, Store } from '../store.js'
import { MemoryConfigStore } from './configs.js'
import { MemoryLog } from './log.js'

const MINUTE = 60_000
const MiB = 1024 * 1024

export interface MemoryStoreOptions {
  /**
   * Bytes of all streams together. When they are more, those that hold the most are shortened.
   * @default 268435456
   */
  readonly maxTotalBytes?: number | undefined
  /**
   * The clock, in ms since 1970.
   * @internal
   */
  readonly now?: (() => number) | undefined
}

/** Remembers events and keeps configs in this process; both end with it. */
export function memoryStore (options: MemoryStoreOptions = {}): Store {
  // Not in the parameter: its declaration would name what is internal.
  const { maxTotalBytes = 256 * MiB, now = Date.now } = options
  return {
    name: 'memory:',
    retention: { maxAge: 2 * MINUTE, maxEvents: 10_000, maxBytes: 8 * MiB },
    async open ({ retention }: OpenOptions): Promise<OpenStore> {
      const log = new MemoryLog({ retention, maxTotalBytes, now })
      return { log, configs: new MemoryConfigStore(), close: async () => { log.close() } }
    }
  }
}
