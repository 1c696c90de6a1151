import type { EventLog, Retention } from '../log/event-log.js'

/** The config of an instance as it is stored. */
export interface StoredConfig {
  /** Whether the instance is served. */
  readonly enabled: boolean
  /** Names such as `MESSAGES_UPSERT`; `null` for all events, including those of a later catalogue. */
  readonly events: readonly string[] | null
  /**
   * For stores that several processes share: a text that changes whenever a name without a config is set. It separates
   * the clients of a removed instance from the new instance of the same name.
   */
  readonly generation?: string | undefined
  /**
   * The newest id of the root's stream at the time when a name without a config was set. In that stream, events of this
   * name with an id up to it belong to a former instance.
   */
  readonly since?: string | undefined
  /**
   * Why it cannot be read, and what to do; the other members say nothing then. Its instance is not available until it
   * is set again or removed, and all others are served.
   */
  readonly unreadable?: string | undefined
}

/** A change of a config. */
export interface ConfigChange {
  /** Whether the instance will be served. */
  readonly enabled: boolean
  /** Names such as `MESSAGES_UPSERT`; `null` for all events, including those of a later catalogue. */
  readonly events: readonly string[] | null
  /** `true`: a stored list is kept, and `events` is used only for a name without a config. */
  readonly keepEvents?: boolean | undefined
  /** The value for {@link StoredConfig.since}. A store that knows the right value itself may replace it. */
  readonly since?: string | undefined
}

/**
 * Stores configs. Names are instance names, NFC-normalized. A stored config is never changed in place. The plugin does
 * not overlap calls for one name: it awaits the previous one.
 */
export interface ConfigStore {
  /** The config of a name; `null` if it was never set or is deleted. */
  get(name: string): Promise<StoredConfig | null>
  /**
   * Replaces a config. After it has resolved, every later `get` and `list` sees the new config. If several processes
   * share the store, `keepEvents` must be atomic with the write: a list that another process sets meanwhile is never
   * lost.
   *
   * @returns the stored config
   */
  set(name: string, change: ConfigChange): Promise<StoredConfig>
  /** Deletes a config; resolves to whether there was one. */
  delete(name: string): Promise<boolean>
  /**
   * All configs, each name once, in no particular order. A config that is set or deleted during the iteration may be
   * included or not.
   */
  list(): AsyncIterable<readonly [name: string, config: StoredConfig]>
  /**
   * For stores that several processes share: calls `changed` with the name of each changed config, once `get` returns
   * the new value. With `null` any config may have changed, and all must be read again; this happens after the store
   * was unavailable, and when it is first available. Changes by this process may be included. The listener must not
   * throw.
   *
   * With `removed`, the config was deleted, and `removed` is its generation (`''` if it had none). All events that were
   * emitted before the removal have been published by then.
   */
  watch?(changed: (name: string | null, removed?: string) => void): void
}

/** @inline */
type MaybePromise<T> = T | Promise<T>

/**
 * The option `configs`: stores configs in the application's own database. Like {@link ConfigStore}, but each function
 * may return its result or a promise.
 */
export interface HostConfigs {
  /** The config of a name; `null` or `undefined` if there is none. */
  get(name: string): MaybePromise<StoredConfig | null | undefined>
  /** Replaces the config of a name. */
  set(name: string, config: StoredConfig): MaybePromise<unknown>
  /** Deletes a config; returns whether there was one. */
  delete(name: string): MaybePromise<boolean>
  /** All configs, each name once: an array or a `Map` of `[name, config]`, or any other iterable. */
  list():
    | MaybePromise<Iterable<readonly [name: string, config: StoredConfig]>>
    | AsyncIterable<readonly [name: string, config: StoredConfig]>
}

/** Logs messages of a store. */
export interface StoreLogger {
  /** Logs a fault that may resolve by itself. */
  warn(details: object, message: string): void
  /** Logs a fault that needs attention. */
  error(details: object, message: string): void
}

/** Limits of the queue for a store that is unavailable; 0 is no limit. */
export interface PendingLimits {
  /** Maximum number of queued events. */
  readonly pendingEvents: number
  /** Maximum bytes of the queued events. */
  readonly pendingBytes: number
}

export const UNLIMITED: PendingLimits = { pendingEvents: 0, pendingBytes: 0 }

/** The arguments of `Store.open`. */
export interface OpenOptions {
  /** The option `retention`, completed with the store's own {@link Store.retention}. */
  readonly retention: Retention
  /** Limits of the queue while the store is unavailable. Left out: none. */
  readonly limits?: PendingLimits | undefined
  /** Logs messages of the store. */
  readonly logger: StoreLogger
}

/** The state of a store that can be unavailable. */
export interface StoreHealth {
  /** Whether the store answers. While it does not, appended events are queued. */
  readonly available: boolean
  /** Events that are queued for the store. */
  readonly pendingEvents: number
  /** Bytes of the queued events. */
  readonly pendingBytes: number
}

/** Messages between the processes that share a store, including this one. */
export interface Peers {
  /**
   * Sends a message to all of them.
   *
   * @param message the text
   * @returns resolves when the store has the message
   * @throws STORE_UNAVAILABLE when the store cannot be reached
   */
  tell(message: string): Promise<void>
  /**
   * Calls `listener` with each message that any process sends from now on, this one included. Messages that were sent
   * while the store was unavailable follow later. The listener must not throw.
   */
  listen(listener: (message: string) => void): void
}

/** An open store. */
export interface OpenStore {
  /** The event log. */
  readonly log: EventLog
  /** The configs of instances. */
  readonly configs: ConfigStore
  /** Messages between processes; left out if only one process uses the store. */
  readonly peers?: Peers | undefined
  /** The current state. Left out if the store cannot be unavailable while this process runs. */
  health?(): StoreHealth
  /**
   * Releases all resources that `open` acquired: files, connections, timers. Events that were appended before are
   * stored; no listener is called afterwards.
   */
  close(): Promise<void>
}

/** A store of events and configs, for the option `store`. */
export interface Store {
  /** The name in logs and errors, such as `lmdb:./data`. It contains no password. */
  readonly name: string
  /** Default of the option `retention`. */
  readonly retention: Retention
  /**
   * Opens the store. A store that is temporarily unavailable may open all the same: its calls reject with
   * STORE_UNAVAILABLE until it is available, and then {@link ConfigStore.watch} notifies with `null`.
   *
   * @throws STORE_OPEN saying what is wrong and what to do
   */
  open(options: OpenOptions): Promise<OpenStore>
}
