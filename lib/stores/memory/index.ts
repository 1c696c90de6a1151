import type { OpenOptions, OpenStore, Store } from '../store.js'
import { MemoryConfigStore } from './configs.js'
import { MemoryLog } from './log.js'

const MINUTE = 60_000
const MiB = 1024 * 1024

/** Options of `memoryStore`. */
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

/**
 * Keeps events and configs in this process; both end with it. Events are kept for 2 minutes, at most 10,000 and 8 MiB
 * of each stream, unless the option `retention` says otherwise.
 *
 * @param options left out: the defaults
 */
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
