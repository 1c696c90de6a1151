import type { EventLog, Retention } from '../log/event-log.js'

/** The config of an instance as it is stored. */
export interface StoredConfig {
  /** Whether the instance is served. */
  readonly enabled: boolean
  /** Constant names, `MESSAGES_UPSERT`; `null` for all, those of a later catalogue too. */
  readonly events: readonly string[] | null
  /**
   * Where other processes change configs too: another text each time that a name is set which had no config. Clients
   * of the former generation have nothing to do with the new instance.
   */
  readonly generation?: string | undefined
  /**
   * The newest id of the root's stream when the name was set that had no config: copies of events there up to it are
   * those of a former instance of that name.
   */
  readonly since?: string | undefined
  /**
   * Why it cannot be read, and what to do; the other members say nothing then. Its instance is not available until it
   * is set again or removed, and all others are served.
   */
  readonly unreadable?: string | undefined
}

/** What a config is to be. */
export interface ConfigChange {
  /** Whether the instance is to be served. */
  readonly enabled: boolean
  /** Constant names, `MESSAGES_UPSERT`; `null` for all, those of a later catalogue too. */
  readonly events: readonly string[] | null
  /** `true`: the stored list stays, and `events` is for a name without a config. */
  readonly keepEvents?: boolean | undefined
  /** To be stored with it as it is, unless the store tells itself what is right. */
  readonly since?: string | undefined
}

/**
 * Where configs are kept. Names are instance names, NFC-normalized; a stored config is never changed in place.
 * Calls for one name do not overlap: the plugin waits for the one before.
 */
export interface ConfigStore {
  /** The config of a name, or `null` if it was never set or is deleted. */
  get(name: string): Promise<StoredConfig | null>
  /**
   * Puts a config in place of the one before. What has resolved is seen by every later `get` and `list`. Where other
   * processes change configs too, a stored list is kept in the same step that writes: a list that another process sets
   * meanwhile is never lost.
   *
   * @returns what is stored now
   */
  set(name: string, change: ConfigChange): Promise<StoredConfig>
  /** Forgets a config; resolves to whether there was one. */
  delete(name: string): Promise<boolean>
  /** All configs, each name once, in no particular order. One that is set or deleted meanwhile may show or not. */
  list(): AsyncIterable<readonly [name: string, config: StoredConfig]>
  /**
   * Where other processes change configs too: tells of each change that was made, by the name, once it is seen by
   * `get`. With `null` any of them may have changed, and all have to be read again: after the store was away, and when
   * it comes for the first time. Own changes may be told too. The listener must not throw.
   *
   * With `removed`, the config was deleted, and this was its generation (`''` if it had none). By now everything
   * has been told that was emitted before.
   */
  watch?(changed: (name: string | null, removed?: string) => void): void
}

/** @inline */
type MaybePromise<T> = T | Promise<T>

/** A host's own place for configs, on its own database: as a {@link ConfigStore}, but every answer may come at once. */
export interface HostConfigs {
  /** The config of a name; `null` or `undefined` if there is none. */
  get(name: string): MaybePromise<StoredConfig | null | undefined>
  /** Puts a config in place of the one before. */
  set(name: string, config: StoredConfig): MaybePromise<unknown>
  /** Forgets a config; whether there was one. */
  delete(name: string): MaybePromise<boolean>
  /** All configs, each name once: an array or a `Map` of `[name, config]`, or anything else that can be iterated. */
  list():
    | MaybePromise<Iterable<readonly [name: string, config: StoredConfig]>>
    | AsyncIterable<readonly [name: string, config: StoredConfig]>
}

/** Where a store says what happens to it. */
export interface StoreLogger {
  /** Something that may pass. */
  warn(details: object, message: string): void
  /** Something that needs somebody to look at it. */
  error(details: object, message: string): void
}

/** What may wait for a store that is away; 0 is no limit. */
export interface PendingLimits {
  /** Events that may wait. */
  readonly pendingEvents: number
  /** Bytes of the events that may wait. */
  readonly pendingBytes: number
}

export const UNLIMITED: PendingLimits = { pendingEvents: 0, pendingBytes: 0 }

/** What a store is opened with. */
export interface OpenOptions {
  /** What the user asked for, with the store's own {@link Store.retention} where nothing was said. */
  readonly retention: Retention
  /** For a store that can be away. Left out: no limit. */
  readonly limits?: PendingLimits | undefined
  /** Where the store says what happens to it. */
  readonly logger: StoreLogger
}

/** How a store is that can be away. */
export interface StoreHealth {
  /** Whether it answers. While it does not, what is appended waits. */
  readonly available: boolean
  /** Events that wait to be remembered. */
  readonly pendingEvents: number
  /** Bytes of the events that wait. */
  readonly pendingBytes: number
}

/** The processes that share a store, this one among them. */
export interface Peers {
  /**
   * Sends a text to all of them.
   *
   * @param message the text
   * @returns resolves when the store has it
   * @throws STORE_UNAVAILABLE when the store cannot be reached
   */
  tell(message: string): Promise<void>
  /**
   * Tells of each text that is sent from now on, own and others', also of those that were sent while the store could
   * not be reached. The listener must not throw.
   */
  listen(listener: (message: string) => void): void
}

/** A store that is open. */
export interface OpenStore {
  /** Where events are kept. */
  readonly log: EventLog
  /** Where configs are kept. */
  readonly configs: ConfigStore
  /** Where several processes share the store. */
  readonly peers?: Peers | undefined
  /** Where the store can be away while this process runs. Left out: it never is. */
  health?(): StoreHealth
  /**
   * Lets go of all that `open` took: files, connections, timers. What was appended before is
   * kept; nothing is called afterwards.
   */
  close(): Promise<void>
}

/** Where events are remembered and configs kept: what the option `store` takes. */
export interface Store {
  /** As the log and errors show it, such as `lmdb:./data`. Has no password in it. */
  readonly name: string
  /** How much is remembered where the option `retention` says nothing. */
  readonly retention: Retention
  /**
   * A store that is merely away just now may be opened all the same: what is asked of it rejects with STORE_UNAVAILABLE
   * until it comes, and then {@link ConfigStore.watch} tells `null`.
   *
   * @throws STORE_OPEN saying what is wrong and what to do
   */
  open(options: OpenOptions): Promise<OpenStore>
}
