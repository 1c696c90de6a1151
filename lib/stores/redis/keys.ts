import type { StreamName } from '../../log/event-log.js'

/** Keys that are kept at most. */
const MAX_KEPT = 10_000

/** A stream in Redis. */
export interface StreamKeys {
  /** Its entries, and its channel. */
  readonly entries: string
  readonly state: string
}

/** A table of idempotency keys in Redis. */
export interface TableKeys {
  /** By idempotency key, what is kept. */
  readonly rows: string
  /** The same keys, by when they were kept. */
  readonly times: string
}

/**
 * The keys of a store. All have one hash tag, so that on a Redis Cluster they are in one slot, and a script can use
 * them together. It names the database, because channels are the same in all of them.
 */
export class Keys {
  readonly log: string
  readonly configs: string
  /** What nodes tell each other. */
  readonly nodes: StreamKeys
  readonly #tag: string
  // Map(name of a stream -> its keys), so that those of busy ones are not put together for each event
  readonly #streams = new Map<StreamName, StreamKeys>()

  constructor (prefix: string, database: number) {
    this.#tag = database === 0 ? `{${prefix}}` : `{${prefix}@${database}}`
    this.log = `${this.#tag}:log`
    this.configs = `${this.#tag}:configs`
    this.nodes = this.#named('nodes')
  }

  stream (name: StreamName): StreamKeys {
    const known = this.#streams.get(name)
    if (known !== undefined) return known
    if (this.#streams.size >= MAX_KEPT) this.#streams.clear()
    const keys = this.#named(name === null ? 'root' : `instance:${name}`)
    this.#streams.set(name, keys)
    return keys
  }

  /** A table of idempotency keys. */
  table (name: string): TableKeys {
    return { rows: `${this.#tag}:keys:${name}`, times: `${this.#tag}:key-times:${name}` }
  }

  /** What a node has appended last. */
  producer (node: string): string {
    return `${this.#tag}:producer:${node}`
  }

  /** Where a node hears itself. */
  echo (node: string): string {
    return `${this.#tag}:echo:${node}`
  }

  #named (name: string): StreamKeys {
    return { entries: `${this.#tag}:stream:${name}`, state: `${this.#tag}:state:${name}` }
  }
}
