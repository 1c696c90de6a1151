import type { OpenOptions, OpenStore, Store } from '../store.js'
import { MemoryConfigStore } from './configs.js'
import { MemoryLog } from './log.js'

const MINUTE = 60_000
const MiB = 1024 * 1024

/** Options of `memoryStore`. */
export interface MemoryStoreOptions {
  /**
   * Bytes of all streams together. Above it, the largest streams are cut to a common size.
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
 * Stores events and configs in the memory of this process. By default events are kept for 2 minutes, at most 10,000
 * events and 8 MiB in each stream; the option `retention` changes that.
 *
 * @param options left out: the defaults
 */
export function memoryStore (options: MemoryStoreOptions = {}): Store {
  // Defaults are here and not in the parameter, because the declaration file would then show the internal option `now`.
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
