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
 * The result of `appendOnce`. `appended`: the request was executed now. `repeated`: it was executed before, and this
 * was the result. Otherwise nothing was stored: `conflict`, another request has used the key; `fenced`, the condition
 * `fence` was met; `full`, the table is full.
 */
export type OnceResult =
  | {
    /** Whether the request was executed now or before. */
    readonly outcome: 'appended' | 'repeated'
    /** The id of each event; `null` for an event that no stream stores. */
    readonly ids: ReadonlyArray<string | null>
    /** The answer that is stored with the key. */
    readonly answer: string
  }
  | {
    /** The reason why nothing was stored. */
    readonly outcome: 'conflict' | 'fenced' | 'full'
  }

/** An event to append, and its streams. */
export interface LogAppend {
  /** The streams that store the event. */
  readonly streams: readonly StreamName[]
  /** The event. */
  readonly record: LogRecord
}

/**
 * An event log. Some methods return either a value or a promise: a caller should not await a plain value, because an
 * await lets other events in between.
 *
 * `read` and `watch` are consistent for a watched stream. Every event that listeners were called with can be read until
 * it is dropped, and listeners are not called with events that have been read. So a caller that reads until there are
 * no more events, and calls `watch` in the same tick of the event loop, gets each event once. If `read` returns a
 * promise, no listener is called between its resolving and the callbacks chained to it.
 */
export interface EventLog {
  /**
   * The stream's newest id, from which a new client can start: it has missed nothing before it, and listeners will be
   * called with everything after it. Exists even before the first event. Only for watched streams.
   */
  head(stream: StreamName): string

  /**
   * Whether any of the streams would store an event. If not, the caller does not append it; the log notes that there
   * was an event, so that a later read of its place is a gap.
   */
  wants(streams: readonly StreamName[]): boolean

  /**
   * Stores an event in all of the streams under one id, and then calls their listeners. Events of one stream are
   * published in the order of the calls.
   *
   * @returns the event's id, once the event is stored
   * @throws STORE_UNAVAILABLE when the event could not be stored; it is not published then. PENDING_FULL when the store
   *   is unavailable and its queue is full. MESSAGE_TOO_LARGE when the store cannot hold an event of that size
   */
  append(streams: readonly StreamName[], record: LogRecord): string | Promise<string>

  /**
   * Appends events under an idempotency key, in one atomic step: all events and the key are stored, or nothing is. A
   * repeated request, after a lost answer or on another node, appends nothing and gets the result of the first. If the
   * first is still being stored, the repeated one waits for it. A request that fails stores no key. A log without this
   * method supports no idempotency keys.
   *
   * Keys are kept independently of the events: `remove` drops none.
   *
   * @throws the errors of `append`
   */
  appendOnce?(request: OnceRequest, events: readonly LogAppend[]): OnceResult | Promise<OnceResult>

  /**
   * Reads the events after an id, the oldest first: about as many as fit in `maxBytes`, but at least one if there is
   * any. An empty result means that there is no event after the id.
   *
   * Returns `'gap'` if events after the id may be missing: the id is not of this log or its current epoch, it is newer
   * than every id of the log, or a later event was dropped or not stored. A quiet stream never gets a gap, however old
   * the id is.
   *
   * @param stream the stream to read
   * @param after any text, as a client gave it
   * @param maxBytes about how many bytes of events to return
   */
  read(stream: StreamName, after: string, maxBytes: number): LogPage | Promise<LogPage>

  /** Calls `listener` with each event of a stream from now on, whether this process or another one appends it. */
  watch(stream: StreamName, listener: LogListener, onGap?: GapListener): Watch

  /** Deletes the events of a stream. */
  remove(stream: StreamName): Promise<void>

  /** Resolves when everything that was appended before is published or has failed. */
  drained(): Promise<void>

  /** Current contents of the log. */
  stats(): LogStats
}

/**
 * Size of an event in bytes, as retention counts it.
 *
 * @param record an event
 */
export function sizeOf ({ rest, event, instance, attachments }: LogRecord): number {
  return attachments.reduce((sum, { length }) => sum + length, rest.length + event.length + instance.length)
}
