/**
 * The contract of an event log. A log keeps the events of each instance in order, within the bounds of its retention.
 * It does not know how events reach clients. The suite `test/contracts/event-log.ts` tests this contract.
 */

/**
 * Names a stream of the log: the name of an instance, or `null` for the root. In global mode the root's stream has the
 * events of all instances.
 */
export type StreamName = string | null

/** An event as it is stored. */
export interface LogRecord {
  /** The instance that the event belongs to. */
  readonly instance: string
  /** The dotted name of the event. */
  readonly event: string
  /**
   * The message as JSON in UTF-8, without its beginning `{"id":"ID"`, because the log assigns the id:
   * `,"event":"call",…}`. A binary part of the data is a placeholder as in Socket.IO: `{"_placeholder":true,"num":0}`.
   */
  readonly rest: Buffer
  /** The binary parts, indexed by the number in their placeholder. */
  readonly attachments: readonly Buffer[]
}

/** A stored event with its id. */
export interface LogEntry extends LogRecord {
  /** Ids of a log, compared as strings, have the order in which events were appended. See {@link Ids}. */
  readonly id: string
}

/**
 * How much of each stream is kept. When any limit is exceeded, the oldest events are dropped. The newest event of a
 * stream is kept even if it alone exceeds `maxBytes`.
 */
export interface Retention {
  /** Maximum age of an event, in milliseconds. */
  readonly maxAge: number
  /** Maximum number of events in a stream. */
  readonly maxEvents: number
  /** Maximum size of a stream's events, in bytes. */
  readonly maxBytes: number
}

/** The events after an id, in order; or `'gap'` if they are incomplete, because some were dropped or never stored. */
export type LogPage = readonly LogEntry[] | 'gap'

/** Called with each event of a stream, in order, after the event is stored. Must not throw. */
export type LogListener = (entry: LogEntry) => void

/**
 * Called when events of a stream may be lost: the log was wiped, for example, or has lost its newest events. All later
 * events come after `head`. Must not throw.
 */
export type GapListener = (head: string) => void

/** The result of `EventLog.watch`. */
export interface Watch {
  /**
   * Resolves when no further event can be missed. Left out if that is already so. Rejects with STORE_UNAVAILABLE if the
   * store is closed first.
   */
  readonly ready?: Promise<void> | undefined
  /** Stops watching: the listeners are not called any more. */
  close(): void
}

/** Current contents of a log. */
export interface LogStats {
  /** Number of streams that have events. */
  readonly streams: number
  /** Number of events. An event counts once in each of its streams. */
  readonly records: number
  /** Bytes of these events. */
  readonly bytes: number
}

/** A table of idempotency keys. Tables with the same name are the same table and must have the same limits. */
export interface KeyTable {
  /** The name of the table. */
  readonly name: string
  /** Maximum number of keys. When it is reached, new keys are refused; no key is dropped before `maxAge`. */
  readonly maxKeys: number
  /** How long a key is kept, in ms. */
  readonly maxAge: number
}

/** A request that must be executed once for its idempotency key. */
export interface OnceRequest {
  /** The table that stores the key. */
  readonly table: KeyTable
  /** The idempotency key. */
  readonly key: string
  /** Identifies the content of the request. The same key with another fingerprint is a conflict. */
  readonly fingerprint: string
  /** Stored unchanged with the key, and returned for a repeated request. */
  readonly answer: string
  /** Whether the request replaces what is stored under its key. */
  readonly replaces?: boolean | undefined
  /** A condition: the request does nothing if the answer stored under this key is greater than `after`. */
  readonly fence?: {
    /** Another key of the same table. */
    readonly key: string
    /** The text that is compared with the stored answer. */
    readonly after: string
  } | undefined
}

/**
 * What became of it. `appended`: all of it was done now. `repeated`: it was done before, and this was its outcome then.
 * Else nothing was done: `conflict`, the key belongs to another request; `fenced`; `full`, the table has no room.
 */
export type OnceResult =
  | {
    /** Whether it was done now or before. */
    readonly outcome: 'appended' | 'repeated'
    /** Of each event; `null` for one that no stream wants. */
    readonly ids: ReadonlyArray<string | null>
    /** The answer that is kept with the key. */
    readonly answer: string
  }
  | {
    /** Why nothing was done. */
    readonly outcome: 'conflict' | 'fenced' | 'full'
  }

/** An event, and the streams that it is for. */
export interface LogAppend {
  /** The streams that it is for. */
  readonly streams: readonly StreamName[]
  /** The event. */
  readonly record: LogRecord
}

/**
 * An event log. A value that comes at once may come as it is or as a promise; who reads should not wait where there is
 * nothing to wait for.
 *
 * `read` and `watch` agree on a stream that is watched. What has been told to those who watch it is there to be read,
 * until it is dropped; what has been read is not told afterwards. So who reads until there is no more, and then watches
 * in the same turn of the event loop, gets each event once. Where `read` gives a promise, nothing is told between its
 * resolving and what is chained to it.
 */
export interface EventLog {
  /**
   * The newest id that a client of this stream may count as its own: it has missed nothing, and everything after it
   * is still to be told. There is one from the start, before any event. Asked for while the stream is watched.
   */
  head(stream: StreamName): string

  /**
   * Whether an event of these streams would be remembered in any. If not, it is not appended,
   * and the log knows that there was one.
   */
  wants(streams: readonly StreamName[]): boolean

  /**
   * Remembers an event in all of these streams under one id, and then tells those who watch them. What is appended
   * for one stream is told in the order of the calls.
   *
   * @returns its id, when the event is remembered for good
   * @throws STORE_UNAVAILABLE when the event could not be stored: then it is not published. PENDING_FULL when the store
   *   is away, and as much waits for it as may. MESSAGE_TOO_LARGE when the store cannot hold an event of that size
   */
  append(streams: readonly StreamName[], record: LogRecord): string | Promise<string>

  /**
   * Appends events as one unit under a key: all of them or none, and the key is stored in the same step. So a
   * repeated request, after a lost answer or on another node, appends nothing and returns the result of the first. A
   * request whose key is being stored waits for that. A unit that fails keeps no key. Left out: the log keeps no
   * keys.
   *
   * Keys outlive what a stream remembers of the events: `remove` drops none.
   *
   * @throws as `append`
   */
  appendOnce?(request: OnceRequest, events: readonly LogAppend[]): OnceResult | Promise<OnceResult>

  /**
   * What came after an id, the oldest first: as much as `maxBytes` allow (bytes, about), at least one event if there
   * is any. No events at all means that there is nothing after it.
   *
   * `'gap'` if events after it may be missing: it is not an id of this log or of this life of it, it is newer than all
   * that were given, or one that came later was dropped or not remembered. That a stream has been quiet is no gap,
   * however long.
   *
   * @param stream the stream to read
   * @param after any text, as a client gave it
   * @param maxBytes about how many bytes of events to return
   */
  read(stream: StreamName, after: string, maxBytes: number): LogPage | Promise<LogPage>

  /** Tells of each event of a stream from now on: of those that this process appends, and of those that others do. */
  watch(stream: StreamName, listener: LogListener, onGap?: GapListener): Watch

  /** Drops all that a stream remembers. */
  remove(stream: StreamName): Promise<void>

  /** Resolves when everything that was appended before is told, or has failed. */
  drained(): Promise<void>

  /** What the log holds now. */
  stats(): LogStats
}

/**
 * Bytes of an event, as retention counts them.
 *
 * @param record an event
 */
export function sizeOf ({ rest, event, instance, attachments }: LogRecord): number {
  return attachments.reduce((sum, { length }) => sum + length, rest.length + event.length + instance.length)
}
