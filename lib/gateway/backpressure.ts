import type { LimitName } from '../limits/limits.js'
import type { Limits } from '../types.js'
import { Backlog } from './backlog.js'
import type { FrameBatch } from './batch.js'
import type { Connection } from './connection.js'

/** How often it is noted who reads, in ms, when more than half of what may wait for all does. */
const LOOK_EVERY = 250

type Bounds = Pick<Limits, 'queuedBytes' | 'queuedBytesMax' | 'queuedBytesTotal'>

/**
 * Bounds what waits for clients, whatever wrote it: for each transport, and for all together.
 *
 * Small messages (up to 64 KiB) may take `queuedBytes` of a transport. Larger ones are counted apart, because a
 * client that reads steadily may need a while for one: they may take `queuedBytesMax` while it keeps reading, and a
 * single one may always wait.
 */
export class Backpressure {
  readonly #bounds: Bounds
  readonly #waiting = new Set<Connection>()
  /** Bytes that wait for all connections, those that several share counted for each. */
  #sum = 0
  /** The sum when what is shared was last counted once, and what came out. */
  #sumThen = 0
  #sharedThen = 0
  #lookedAt = -Infinity

  constructor (bounds: Bounds) {
    this.#bounds = bounds
  }

  /**
   * Notes what waits for a connection.
   *
   * @param own bytes that wait for it
   * @param waiting bytes that wait for its transport
   * @returns the limit that keeps more from being written to it; `null` when it may be
   */
  check (connection: Connection, own: number, waiting: number): LimitName | null {
    if (own === 0) {
      this.forget(connection)
      return null
    }
    const backlog = this.#note(connection, own)
    const { queuedBytes, queuedBytesMax } = this.#bounds
    if (queuedBytes === 0 || waiting <= queuedBytes) return null
    const large = connection.largeWaiting
    if (waiting - large.bytes > queuedBytes) return 'queuedBytes'
    if (large.count <= 1) return null
    if (queuedBytesMax !== 0 && large.bytes > queuedBytesMax) return 'queuedBytesMax'
    // A client that does not poll again is ended when it does not answer a ping.
    const taken = connection.takenBytes
    return taken === null || backlog.keepsReading(performance.now(), taken) ? null : 'queuedBytes'
  }

  /** Notes that events were written to a connection. */
  wrote (connection: Connection, batch: FrameBatch): void {
    const { backlog } = connection
    // What is small is seen at the next check, if it waits until then.
    if (backlog === null && batch.large.length === 0) return
    const queued = connection.queuedBytes
    if (queued === 0) this.forget(connection)
    else this.#note(connection, queued).wrote(batch)
  }

  /** Notes that history was replayed to a connection. */
  replayed (connection: Connection, batch: FrameBatch): void {
    const { queuedBytes } = connection
    if (queuedBytes === 0) this.forget(connection)
    else this.#note(connection, queuedBytes).replay = batch
  }

  /** Notes that what was written to a connection, and is for nobody else, waits for it. */
  wroteOwn (connection: Connection): void {
    const { queuedBytes } = connection
    if (queuedBytes > 0) this.#note(connection, queuedBytes).isOwn = true
  }

  /** Notes that an answer was written to a connection for which so many bytes had waited before. */
  answered (connection: Connection, before: number): void {
    const { queuedBytes } = connection
    const size = queuedBytes - before
    if (size <= 0) return
    const backlog = this.#note(connection, queuedBytes)
    backlog.isOwn = true
    backlog.wroteOne(size)
  }

  /** Nothing waits for a connection any more. */
  forget (connection: Connection): void {
    const { backlog } = connection
    if (backlog === null) return
    connection.backlog = null
    this.#sum -= backlog.bytes
    this.#waiting.delete(connection)
  }

  #note (connection: Connection, queued: number): Backlog {
    let { backlog } = connection
    if (backlog === null) {
      backlog = new Backlog(performance.now(), connection.takenBytes)
      connection.backlog = backlog
      this.#waiting.add(connection)
    }
    this.#sum += queued - backlog.bytes
    backlog.bytes = queued
    return backlog
  }

  /**
   * Connections to end because all together hold more than `queuedBytesTotal`: those whose clients have taken nothing
   * for the longest time.
   */
  overTotal (): readonly Connection[] {
    const { queuedBytesTotal } = this.#bounds
    if (queuedBytesTotal === 0 || this.#sum <= queuedBytesTotal / 2) return []
    const now = performance.now()
    const atMost = this.#sharedThen + this.#sum - this.#sumThen
    if (atMost <= queuedBytesTotal && now - this.#lookedAt < LOOK_EVERY) return []
    this.#lookedAt = now
    let held = this.#look(now)
    const over: Connection[] = []
    if (held <= queuedBytesTotal) return over
    const longest = [...this.#waiting].sort((one, other) => movedAt(one) - movedAt(other))
    for (const connection of longest) {
      if (held <= queuedBytesTotal) break
      // What it shares with others may stay: then more of them go.
      held -= connection.backlog?.bytes ?? 0
      over.push(connection)
    }
    return over
  }

  /** Looks at every connection for which something waits. @returns the bytes, those that several share counted once */
  #look (now: number): number {
    // Map(what is written to all -> Map(filter -> the most that waits for one of them))
    const shared = new Map<unknown, Map<string, number>>()
    let held = 0
    for (const connection of this.#waiting) {
      const { queuedBytes } = connection
      if (queuedBytes === 0) {
        this.forget(connection)
        continue
      }
      const backlog = this.#note(connection, queuedBytes)
      backlog.see(now, connection.takenBytes)
      const share = backlog.isOwn ? null : connection.shared
      if (share === null) {
        held += queuedBytes
        continue
      }
      const written = backlog.replay ?? share.stream
      const byFilter = shared.get(written) ?? new Map<string, number>()
      shared.set(written, byFilter)
      // What waits for each is the end of the same frames.
      const most = byFilter.get(share.filter) ?? 0
      if (queuedBytes > most) byFilter.set(share.filter, queuedBytes)
      held += Math.max(queuedBytes - most, 0)
    }
    this.#sumThen = this.#sum
    this.#sharedThen = held
    return held
  }
}

const movedAt = ({ backlog }: Connection): number => backlog?.movedAt ?? 0
