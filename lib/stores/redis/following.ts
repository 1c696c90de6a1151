import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { errors } from '../../errors.js'
import type { GapListener, LogListener, Watch } from '../../log/event-log.js'
import { epochOf } from '../../log/ids.js'
import type { StoreLogger } from '../store.js'
import { isPassing } from './faults.js'
import { type Bounds, Followed, type Passed } from './followed.js'
import { decodeMessage } from './frame.js'
import type { StreamKeys } from './keys.js'
import type { Life, Link } from './link.js'
import { idAt } from './position.js'
import type { Reader } from './reader.js'
import type { Subscriber } from './subscriber.js'

/** How long a stream is still followed when its last client has left, in ms: it comes back, mostly. */
const LINGER = 10_000
/** Streams that are looked at together. */
const CHUNK = 256
/** Who was cut off for no longer than this has not been away, in ms. */
const GRACE = 1000
/** Before what has failed is tried again, in ms. */
const RETRY = 1000
/** Bytes of what was missed that are read at once. */
const PAGE_BYTES = 256 * 1024

interface Parts {
  readonly link: Link
  readonly subscriber: Subscriber
  readonly reader: Reader
  readonly bounds: Bounds
  readonly logger: StoreLogger
}

/** The streams that somebody on this node wants to hear of, and no others: what it subscribes to. */
export class Following {
  readonly #parts: Parts
  // Map(channel -> stream)
  readonly #streams = new Map<string, Followed>()
  readonly #passed: Passed = { id: '' }
  /** Whether everything that is followed is subscribed to. */
  #isConnected = false
  #lostAt = -Infinity
  /** The life of the log that was joined last. */
  #life = ''
  /** Grows with each connection: what one has caught up with, the next may have missed. */
  #connection = 0
  /** To be subscribed to. */
  #wanted: Followed[] = []
  #working: Promise<void> | null = null
  /** Where the next look for what was missed begins. */
  #looked = 0
  #isClosed = false

  constructor (parts: Parts) {
    this.#parts = parts
  }

  find (channel: string): Followed | undefined {
    return this.#streams.get(channel)
  }

  get streams (): Iterable<Followed> {
    return this.#streams.values()
  }

  follow (keys: StreamKeys, listener: LogListener, onGap?: GapListener): Watch {
    if (this.#isClosed) throw new errors.STORE_UNAVAILABLE('it is closed')
    const stream = this.#streams.get(keys.entries) ?? this.#add(keys)
    const close = stream.listen(listener, onGap)
    return { ready: stream.ready, close }
  }

  #add (keys: StreamKeys): Followed {
    const stream = new Followed(keys, this.#parts.bounds, this.#passed)
    this.#streams.set(keys.entries, stream)
    this.#wanted.push(stream)
    this.#work()
    return stream
  }

  /** Whether what is published is heard, or was until a moment ago. */
  get isHearing (): boolean {
    return this.#isConnected || performance.now() - this.#lostAt < GRACE
  }

  /** There is a connection to subscribe on. */
  connected (): void {
    this.#isConnected = true
    this.#connection++
    for (const stream of this.#streams.values()) stream.fallBehind()
    this.#wanted = [...this.#streams.values()]
    this.#work()
  }

  /** What is published now is missed. */
  lost (): void {
    if (this.#isConnected) this.#lostAt = performance.now()
    this.#isConnected = false
    for (const stream of this.#streams.values()) stream.fallBehind()
  }

  /** The log can be asked, perhaps in another life: then what was told has to be compared with it. */
  joined ({ epoch, name, last }: Life): void {
    for (const stream of this.#streams.values()) {
      if (epochOf(stream.verified) !== epoch) stream.fallBehind()
      if (name !== this.#life) stream.forgetUpTo(last)
    }
    this.#life = name
    this.#work()
  }

  /** Everything up to an id has arrived that was published on the streams that are followed. */
  passed (id: string): void {
    this.#passed.id = id
    for (const stream of this.#streams.values()) stream.forgetOld(id)
  }

  published (channel: string, content: Buffer): void {
    const stream = this.#streams.get(channel)
    if (stream === undefined) return
    try {
      this.#take(stream, decodeMessage(content), content.length)
    } catch (error) {
      // Whoever may publish on our channels may publish anything.
      this.#parts.logger.error({ err: error, channel }, 'what was published cannot be understood')
    }
  }

  #take (stream: Followed, message: ReturnType<typeof decodeMessage>, size: number): void {
    const { link } = this.#parts
    if ('removed' in message) {
      stream.removed(idAt(message.removed, link.life?.epoch ?? ''))
      return
    }
    // Also while the link is away: it must know then what to look for.
    link.saw(message.entries.at(-1)?.id ?? '', message.epoch, message.life)
    if (!link.isCurrent(message.epoch, message.life)) this.#otherLife(stream, message.epoch)
    if (stream.publish(message, size)) this.#work()
  }

  /** Somebody has joined the log after us, in a life that we don't know yet. */
  #otherLife (stream: Followed, epoch: string): void {
    if (epochOf(stream.verified) !== epoch) stream.fallBehind()
    if (this.#parts.link.life !== null) this.#parts.link.rejoin()
  }

  /** Looks whether some of the streams have missed something, others each time: no network is told to lose nothing. */
  async look (): Promise<void> {
    if (!this.#isConnected || this.#working !== null) return
    const told = [...this.#streams.values()].filter(({ state }) => state === 'told')
    if (this.#looked >= told.length) this.#looked = 0
    const streams = told.slice(this.#looked, this.#looked += CHUNK)
    const before = streams.map(({ keys, verified }) => ({ keys, told: verified }))
    const { last, behind } = await this.#parts.reader.behind(before)
    for (const [at, stream] of streams.entries()) {
      if (behind[at] === false) stream.verify(last)
      // What was on its way has arrived by the next look.
      else if (stream.isSuspect && stream.verified === before[at]?.told) stream.fallBehind()
      stream.isSuspect = behind[at] === true
    }
    this.#work()
  }

  /** Lets go of streams that nobody has listened to for a while. */
  unfollowIdle (): void {
    const before = performance.now() - LINGER
    const idle = [...this.#streams.values()].filter(({ idleSince }) => idleSince !== null && idleSince < before)
    if (idle.length === 0) return
    for (const { keys: { entries } } of idle) this.#streams.delete(entries)
    for (const stream of idle) stream.close()
    const channels = idle.map(({ keys: { entries } }) => entries)
    if (!this.#isConnected) return
    // A connection that is lost has no subscriptions any more.
    this.#parts.subscriber.unsubscribe(channels).catch((error: unknown) => {
      if (!isPassing(error)) this.#parts.logger.error({ err: error }, 'Redis does not let us unsubscribe')
    })
  }

  /**
   * Resolves when none is behind of the streams that are followed now. Those that come later begin with what is
   * published later, and where clients keep coming there is always one.
   */
  async settled (): Promise<void> {
    const late = [...this.#streams.values()].filter(({ state }) => state !== 'told')
    const isLate = (stream: Followed): boolean =>
      stream.state !== 'told' && this.find(stream.keys.entries) === stream
    while (this.#working !== null && late.some(isLate)) await this.#working
  }

  #work (): void {
    if (
      this.#isClosed || this.#working !== null || !this.#isConnected ||
      this.#parts.link.life === null || !this.#hasWork()
    ) return
    this.#working = this.#workOnce().catch(async (error: unknown) => {
      // It goes on when Redis is back, and what has kept it is told there.
      if (this.#isConnected && this.#parts.link.isUp) {
        this.#parts.logger.error({ err: error }, 'streams could not be followed: it is tried again')
      }
      await pause(RETRY, undefined, { ref: false })
    }).finally(() => {
      this.#working = null
      this.#work()
    })
  }

  #hasWork (): boolean {
    if (this.#wanted.length > 0) return true
    for (const { state } of this.#streams.values()) if (state === 'behind') return true
    return false
  }

  async #workOnce (): Promise<void> {
    // In a later turn: who comes together is subscribed together.
    await nextTurn()
    const connection = this.#connection
    // Some may have been left meanwhile.
    await this.#begin(this.#wanted.splice(0).filter(stream => this.find(stream.keys.entries) === stream), connection)
    const behind = [...this.#streams.values()].filter(({ state }) => state === 'behind')
    for (let at = 0; at < behind.length; at += CHUNK) await this.#catchUp(behind.slice(at, at + CHUNK), connection)
  }

  async #begin (streams: readonly Followed[], connection: number): Promise<void> {
    if (streams.length === 0) return
    try {
      await this.#parts.subscriber.subscribe(streams.map(({ keys: { entries } }) => entries))
      const { last } = await this.#parts.reader.behind([])
      await nextTurn()
      this.#checkConnection(connection)
      for (const stream of streams) if (stream.state === 'starting') stream.startAt(last)
    } catch (error) {
      this.#wanted.push(...streams)
      throw error
    }
  }

  async #catchUp (streams: readonly Followed[], connection: number): Promise<void> {
    const { last, behind } = await this.#parts.reader.behind(
      streams.map(({ keys, verified }) => ({ keys, told: verified }))
    )
    await nextTurn()
    for (const [at, stream] of streams.entries()) {
      if (behind[at] === false) stream.verify(last)
      if (behind[at] !== false || !this.#finished(stream, connection)) await this.#readMissed(stream, connection)
    }
  }

  /** @throws Error when the connection was lost meanwhile */
  #finished (stream: Followed, connection: number): boolean {
    this.#checkConnection(connection)
    return stream.caughtUp(epochOf(stream.verified))
  }

  /** @throws Error when it is not the connection of now */
  #checkConnection (connection: number): void {
    if (!this.#isConnected || this.#connection !== connection) throw new Error('the connection was lost')
  }

  async #readMissed (stream: Followed, connection: number): Promise<void> {
    for (;;) {
      const { entries, last } = await this.#parts.reader.read(stream.keys, stream.verified, PAGE_BYTES)
      // In a turn of its own: what is told now must not come between a read of somebody else's and what follows it.
      await nextTurn()
      if (entries === 'gap') stream.skipTo(last)
      else stream.tell(entries)
      if (entries.length === 0 && this.#finished(stream, connection)) return
    }
  }

  close (): void {
    this.#isClosed = true
    for (const stream of this.#streams.values()) stream.close()
    this.#streams.clear()
  }
}
