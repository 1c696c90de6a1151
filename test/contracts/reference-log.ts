import { setImmediate as turn } from 'node:timers/promises'
import { type EventLog, type KeyTable, type LogAppend, type LogEntry, type LogListener, type LogPage, type LogRecord, type LogStats, type OnceRequest, type OnceResult, type Retention, sizeOf, type StreamName, type Watch } from '../../lib/log/event-log.js'
import { Ids, timeOf } from '../../lib/log/ids.js'
import { type KeptKey, knownOutcome } from '../../lib/log/once.js'
import type { OpenLog } from './index.js'

interface Stream {
  entries: LogEntry[]
  /** The newest that is missing. */
  floor: string
}

/** What outlives a log. */
export interface Disk {
  readonly ids: Ids
  /** The newest that was told, or that nobody wanted. */
  newest: string
  readonly birth: string
  readonly streams: Map<StreamName, Stream>
  // Map(name of a table -> Map(key -> what is kept))
  readonly keys: Map<string, Map<string, KeptKey>>
}

interface Watcher {
  stream: StreamName
  listener: LogListener
  open: boolean
}

interface Settings {
  readonly retention: Retention
  /** Commits in a later turn, reads by promises, and remembers every stream; or all at once, and only what was watched. */
  readonly durable: boolean
  readonly now: () => number
}

type Job = () => void

/**
 * The contract, as simply as can be: arrays, and no thought for speed. What it does is in fields, so that each can be
 * broken on its own.
 */
export class ReferenceLog implements EventLog {
  readonly settings: Settings
  readonly disk: Disk
  watchers: Watcher[] = []
  // Map(stream -> what it was), for who would have it back
  readonly removed = new Map<Stream, Stream>()
  jobs: Job[] = []
  busy = false

  constructor (settings: Settings, disk: Disk) {
    this.settings = settings
    this.disk = disk
  }

  keyOf = (stream: StreamName): StreamName => stream

  streamOf = (name: StreamName): Stream => {
    const stream = this.disk.streams.get(this.keyOf(name)) ?? { entries: [], floor: this.disk.birth }
    if (this.settings.durable) this.disk.streams.set(this.keyOf(name), stream)
    return stream
  }

  head = (): string => this.disk.newest

  isWanted = (stream: StreamName): boolean => this.settings.durable || this.disk.streams.has(this.keyOf(stream))

  wants = (streams: readonly StreamName[]): boolean => {
    if (streams.some(stream => this.isWanted(stream))) return true
    this.disk.newest = this.disk.ids.next()
    for (const stream of streams) this.missed(stream, this.disk.newest)
    return false
  }

  // Map(stream that is not remembered -> the newest that is missing)
  readonly unwanted = new Map<StreamName, string>()

  missed = (stream: StreamName, id: string): void => { this.unwanted.set(this.keyOf(stream), id) }

  append = (streams: readonly StreamName[], record: LogRecord): string | Promise<string> => {
    const entry = this.entryOf(record, this.disk.ids.next())
    let done = false
    const committed = new Promise<string>(resolve => {
      this.jobs.push(() => {
        this.commit(entry, streams)
        done = true
        resolve(entry.id)
      })
    })
    this.schedule()
    return done ? entry.id : committed
  }

  appendOnce = async (request: OnceRequest, events: readonly LogAppend[]): Promise<OnceResult> => {
    const entries = events.map(({ record }) => this.entryOf(record, this.disk.ids.next()))
    return await new Promise(resolve => {
      this.jobs.push(() => { resolve(this.once(request, events, entries)) })
      this.schedule()
    })
  }

  once = (request: OnceRequest, events: readonly LogAppend[], entries: readonly LogEntry[]): OnceResult => {
    const known = this.outcome(request)
    if (known !== undefined) return known
    const ids = entries.map((entry, at) => {
      const streams = events[at]?.streams ?? []
      this.commit(entry, streams)
      return this.idOf(entry, streams.some(stream => this.isWanted(stream)))
    })
    const answer = this.answerOf(request)
    this.keep(request, { time: this.settings.now(), fingerprint: this.fingerprintOf(request), ids, answer })
    return { outcome: 'appended', ids, answer }
  }

  outcome = (request: OnceRequest): OnceResult | undefined => {
    const table = this.tableOf(request.table)
    for (const [key, { time }] of table) if (!this.isFresh(time, request.table)) table.delete(key)
    return knownOutcome({ ...request, fingerprint: this.fingerprintOf(request) }, { find: key => table.get(key), isFull: () => this.isFull(table, request.table) })
  }

  tableOf = ({ name }: Pick<KeyTable, 'name'>): Map<string, KeptKey> => {
    const table = this.disk.keys.get(name) ?? new Map<string, KeptKey>()
    this.disk.keys.set(name, table)
    return table
  }

  keep = ({ table, key }: OnceRequest, kept: KeptKey): void => { this.tableOf(table).set(key, kept) }

  isFresh = (time: number, { maxAge }: KeyTable): boolean => time > this.settings.now() - maxAge

  isFull = ({ size }: Map<string, KeptKey>, { maxKeys }: KeyTable): boolean => size >= maxKeys

  fingerprintOf = ({ fingerprint }: OnceRequest): string => fingerprint

  answerOf = ({ answer }: OnceRequest): string => answer

  idOf = ({ id }: LogEntry, isWanted: boolean): string | null => isWanted ? id : null

  entryOf = ({ instance, event, rest, attachments }: LogRecord, id: string): LogEntry => ({ id, instance, event, rest, attachments })

  schedule = (): void => {
    if (!this.settings.durable) this.work()
    else if (this.jobs.length === 1) setImmediate(() => { this.work() })
  }

  /** One job after the other, also those that come from within one. */
  work = (): void => {
    if (this.busy) return
    this.busy = true
    for (let job = this.next(); job !== undefined; job = this.next()) job()
    this.busy = false
  }

  next = (): Job | undefined => this.jobs.shift()

  commit = (entry: LogEntry, streams: readonly StreamName[]): void => {
    this.store(entry, streams)
    this.tell(entry, streams)
  }

  store = (entry: LogEntry, streams: readonly StreamName[]): void => {
    this.disk.newest = entry.id
    for (const stream of streams) {
      if (this.isWanted(stream)) this.push(this.streamOf(stream), entry)
      else this.missed(stream, entry.id)
    }
  }

  push = (stream: Stream, entry: LogEntry): void => {
    stream.entries.push(entry)
    this.trim(stream)
  }

  trim = (stream: Stream): void => {
    while (stream.entries.length > 0 && this.isOver(stream)) this.drop(stream)
  }

  isOver = ({ entries }: Stream): boolean => {
    const { maxEvents, maxBytes, maxAge } = this.settings.retention
    return entries.length > maxEvents || (entries.length > 1 && this.bytesOf(entries) > maxBytes) || timeOf(entries[0]?.id ?? '') < this.settings.now() - maxAge
  }

  // Where many are kept, to count them each time would take long.
  bytesOf = (entries: readonly LogEntry[]): number => this.settings.retention.maxBytes > 1_000_000 ? 0 : entries.reduce((sum, entry) => sum + sizeOf(entry), 0)

  drop = (stream: Stream): void => {
    const dropped = stream.entries.shift()
    if (dropped !== undefined) stream.floor = dropped.id
  }

  tell = (entry: LogEntry, streams: readonly StreamName[]): void => {
    for (const watcher of this.told(streams)) if (watcher.open) watcher.listener(entry)
  }

  told = (streams: readonly StreamName[]): readonly Watcher[] => this.watchers.filter(({ stream }) => streams.some(name => this.keyOf(name) === this.keyOf(stream)))

  read = (stream: StreamName, after: string, maxBytes: number): LogPage | Promise<LogPage> => {
    if (!this.settings.durable) return this.readNow(stream, after, maxBytes)
    return turn().then(() => this.readNow(stream, after, maxBytes))
  }

  readNow = (name: StreamName, after: string, maxBytes: number): LogPage => {
    const stream = this.streamOf(name)
    this.trim(stream)
    if (!this.isGiven(after) || after > this.disk.newest || after < this.floorOf(name)) return 'gap'
    return this.page(stream.entries.filter(({ id }) => id > after), maxBytes)
  }

  isGiven = (text: string): boolean => this.disk.ids.isOurs(text)

  floorOf = (name: StreamName): string => {
    const { floor } = this.streamOf(name)
    const missed = this.unwanted.get(this.keyOf(name)) ?? ''
    return missed > floor ? missed : floor
  }

  page = (entries: readonly LogEntry[], maxBytes: number): LogEntry[] => {
    let bytes = 0
    const end = entries.findIndex(entry => (bytes += sizeOf(entry)) > maxBytes)
    return end === -1 ? [...entries] : entries.slice(0, Math.max(end, 1))
  }

  watch = (stream: StreamName, listener: LogListener): Watch => {
    const watcher = { stream, listener, open: true }
    this.disk.streams.set(this.keyOf(stream), this.streamOf(stream))
    this.watchers.push(watcher)
    return { ready: Promise.resolve(), close: () => { this.unwatch(watcher) } }
  }

  unwatch = (watcher: Watcher): void => {
    watcher.open = false
    this.watchers = this.watchers.filter(({ open }) => open)
  }

  remove = async (name: StreamName): Promise<void> => {
    await new Promise<void>(resolve => {
      this.jobs.push(() => {
        this.clear(this.streamOf(name))
        resolve()
      })
      this.schedule()
    })
  }

  clear = (stream: Stream): void => {
    while (stream.entries.length > 0) this.drop(stream)
  }

  drained = async (): Promise<void> => {
    while (this.jobs.length > 0 || this.busy) await turn()
  }

  stats = (): LogStats => {
    const kept = [...this.disk.streams.values()]
    const entries = kept.flatMap(({ entries }) => entries)
    return { streams: kept.length, records: entries.length, bytes: entries.reduce((sum, entry) => sum + sizeOf(entry), 0) }
  }

  close = async (): Promise<void> => {
    await this.drained()
    this.tell = () => {}
  }
}

export interface Breaks {
  /** The log that is broken: the durable one, or that of this process. */
  readonly durable?: boolean
  /** Breaks a log that was opened. */
  log?(log: ReferenceLog): void
  /** Breaks what it finds when it is opened again. */
  reopened?(disk: Disk, before: ReferenceLog): void | Disk
  /** Breaks how it ends. */
  close?(log: ReferenceLog): Promise<void>
}

export function newDisk (now: () => number): Disk {
  const ids = new Ids({ now })
  return { ids, newest: ids.last, birth: ids.last, streams: new Map(), keys: new Map() }
}

export const reference = ({ durable = false, ...breaks }: Breaks) => async (retention: Retention): Promise<OpenLog> => {
  let time = Date.now()
  const settings = { retention, durable, now: () => time }
  const open = (disk: Disk): OpenLog => {
    const log = new ReferenceLog(settings, disk)
    breaks.log?.(log)
    const close = async (): Promise<void> => { await (breaks.close?.(log) ?? log.close()) }
    const reopen = async (): Promise<OpenLog> => {
      await close()
      return open(breaks.reopened?.(disk, log) ?? disk)
    }
    return { log, close, advance: milliseconds => { time += milliseconds }, ...durable ? { reopen } : {} }
  }
  return open(newDisk(settings.now))
}
