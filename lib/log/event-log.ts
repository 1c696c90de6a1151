/**
 * The contract of an event log: what happened to each instance, in order, for as long as retention says. Nothing here
 * knows how an event reaches a client. The suite `test/contracts/event-log.ts` shows
 * whether a log keeps this contract.
 */

/**
 * A stream of a log: that of an instance, by its name, or (`null`) the root's, which in global
 * mode has the events of all.
 */
export type StreamName = string | null

/** An event as a log keeps it. */
export interface LogRecord {
  /** The instance that the event is of. */
  readonly instance: string
  /** Its dotted name. */
  readonly event: string
  /**
   * The message as JSON in UTF-8 but for its beginning, `{"id":"ID"`, because the log gives the id:
   * `,"event":"call",…}`. A binary part of the data is written as Socket.IO does, `{"_placeholder":true,"num":0}`.
   */
  readonly rest: Buffer
  /** The binary parts, by the number of their placeholder. */
  readonly attachments: readonly Buffer[]
}

/** An event that a log has taken. */
export interface LogEntry extends LogRecord {
  /** As strings, ids of a log are in the order that they were given in. See {@link Ids}. */
  readonly id: string
}

/**
 * How much of each stream is remembered. What is over any bound is dropped, the oldest first. The newest event of a
 * stream is kept even if it alone has more than `maxBytes`.
 */
export interface Retention {
  /** Age of an event at most, in milliseconds. */
  readonly maxAge: number
  /** Events of a stream at most. */
  readonly maxEvents: number
  /** Bytes of a stream's events at most. */
  readonly maxBytes: number
}

/** What came after an id, in order. Or that it cannot be told: something that came after was dropped, or never kept. */
export type LogPage = readonly LogEntry[] | 'gap'

/** Told of each event of a stream, in order, when it is remembered for good. Must not throw. */
export type LogListener = (entry: LogEntry) => void

/**
 * Told when events of a stream may have been missed that will not come any more: the log was wiped, say, or has lost
 * its newest events. What is told from now on comes after `head`. Must not throw.
 */
export type GapListener = (head: string) => void

/** What `watch` of a log gives. */
export interface Watch {
  /**
   * Resolves when nothing more can be missed. Left out where that is so at once, and nobody has to wait. Rejects with
   * STORE_UNAVAILABLE when the store is closed before.
   */
  readonly ready?: Promise<void> | undefined
  /** Ends it: the listeners are not called any more. */
  close(): void
}

/** What a log holds now. */
export interface LogStats {
  /** Streams that have events. */
  readonly streams: number
  /** Events, counted in each of their streams. */
  readonly records: number
  /** Bytes of these events. */
  readonly bytes: number
}

/** A table of idempotency keys. Tables of one name are one table, and have the same bounds. */
export interface KeyTable {
  /** Its name. */
  readonly name: string
  /** Keys that it has at most. One more is refused: none goes before its time. */
  readonly maxKeys: number
  /** For how long a key is kept, in ms. */
  readonly maxAge: number
}

/** What is to be done once for a key. */
export interface OnceRequest {
  /** Where the key is kept. */
  readonly table: KeyTable
  /** The idempotency key. */
  readonly key: string
  /** What the request was: the same key with another one is a conflict. */
  readonly fingerprint: string
  /** Stored with the key unchanged, and returned for a repeated request. */
  readonly answer: string
  /** Whether it takes the place of what is kept under its key. */
  readonly replaces?: boolean | undefined
  /** Nothing is done where what is kept under this key has an answer greater than `after`. */
  readonly fence?: {
    /** Another key of the table. */
    readonly key: string
    /** What its answer is compared with, as strings. */
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
