import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { errors } from '../../errors.js'
import type { GapListener, LogListener, Watch } from '../../log/event-log.js'
import { epochOf } from '../../log/ids.js'
import type { StoreLogger } from '../store.js'
import { isPassing } from './faults.js'
import { type Bounds, StreamSubscription, type Watermark } from './stream-subscription.js'
import { decodeMessage } from './frame.js'
import type { StreamKeys } from './keys.js'
import type { Incarnation, RedisConnection } from './connection.js'
import { idAt } from './position.js'
import type { Reader } from './reader.js'
import type { Subscriber } from './subscriber.js'

/** How long a subscription is kept when its last client has left, in ms: most clients come back. */
const LINGER = 10_000
/** Streams that are checked together. */
const CHUNK = 256
/** A connection that was lost for no longer than this counts as up, in ms. */
const RECONNECT_GRACE = 1000
/** The pause before a failed step is tried again, in ms. */
const RETRY = 1000
/** Bytes of what was missed that are read at once. */
const PAGE_BYTES = 256 * 1024

interface Parts {
  readonly connection: RedisConnection
  readonly subscriber: Subscriber
  readonly reader: Reader
  readonly bounds: Bounds
  readonly logger: StoreLogger
}

/** The streams that this node is subscribed to: those that have a client here, and no others. */
export class StreamSubscriptions {
  readonly #parts: Parts
  // Map(channel -> stream)
  readonly #streams = new Map<string, StreamSubscription>()
  readonly #watermark: Watermark = { id: '' }
  /** Whether the connection to subscribe on is up. */
  #isConnected = false
  #lostAt = -Infinity
  /** The incarnation of the log that was attached last. */
  #incarnation = ''
  /** The number of the connection: what one has caught up with, the next may have missed. */
  #connectionNumber = 0
  /** Streams to subscribe to. */
  #wanted: StreamSubscription[] = []
  #working: Promise<void> | null = null
  /** The index of the stream where the next check begins. */
  #nextCheck = 0
  #isClosed = false

  constructor (parts: Parts) {
    this.#parts = parts
  }

  find (channel: string): StreamSubscription | undefined {
    return this.#streams.get(channel)
  }

  get streams (): Iterable<StreamSubscription> {
    return this.#streams.values()
  }

  subscribe (keys: StreamKeys, listener: LogListener, onGap?: GapListener): Watch {
    if (this.#isClosed) throw new errors.STORE_UNAVAILABLE('it is closed')
    const stream = this.#streams.get(keys.entries) ?? this.#add(keys)
    const close = stream.listen(listener, onGap)
    return { ready: stream.ready, close }
  }

  #add (keys: StreamKeys): StreamSubscription {
    const stream = new StreamSubscription(keys, this.#parts.bounds, this.#watermark)
    this.#streams.set(keys.entries, stream)
    this.#wanted.push(stream)
    this.#work()
    return stream
  }

  /** Whether publications are received, or were until a moment ago. */
  get isReceiving (): boolean {
    return this.#isConnected || performance.now() - this.#lostAt < RECONNECT_GRACE
  }

  /** There is a connection to subscribe on. */
  connected (): void {
    this.#isConnected = true
    this.#connectionNumber++
    for (const stream of this.#streams.values()) stream.fallBehind()
    this.#wanted = [...this.#streams.values()]
    this.#work()
  }

  /** The connection is lost: what is published now is missed. */
  lost (): void {
    if (this.#isConnected) this.#lostAt = performance.now()
    this.#isConnected = false
    for (const stream of this.#streams.values()) stream.fallBehind()
  }

  /** The log can be read, perhaps in another incarnation: then what was delivered has to be compared with it. */
  logAttached ({ epoch, name, last }: Incarnation): void {
    for (const stream of this.#streams.values()) {
      if (epochOf(stream.confirmed) !== epoch) stream.fallBehind()
      if (name !== this.#incarnation) stream.resetRecent(last)
    }
    this.#incarnation = name
    this.#work()
  }

  /** Everything that was published up to an id has been received. */
  advanceWatermark (id: string): void {
    this.#watermark.id = id
    for (const stream of this.#streams.values()) stream.watermarkMoved(id)
  }

  receive (channel: string, content: Buffer): void {
    const stream = this.#streams.get(channel)
    if (stream === undefined) return
    try {
      this.#dispatch(stream, decodeMessage(content), content.length)
    } catch (error) {
      // Anybody who may publish on our channels may publish anything.
      this.#parts.logger.error(
        { err: error, channel },
        'a message on a channel of Redis cannot be decoded, and is ignored'
      )
    }
  }

  #dispatch (stream: StreamSubscription, message: ReturnType<typeof decodeMessage>, size: number): void {
    const { connection } = this.#parts
    if ('removed' in message) {
      stream.dropThrough(idAt(message.removed, connection.incarnation?.epoch ?? ''))
      return
    }
    // Also while Redis cannot be asked: the connection compares it with the log when it attaches.
    connection.observe(message.entries.at(-1)?.id ?? '', message.epoch, message.incarnation)
    if (!connection.isCurrent(message.epoch, message.incarnation)) this.#otherIncarnation(stream, message.epoch)
    if (stream.receive(message, size)) this.#work()
  }

  /** Another node has attached the log after us, in a incarnation that this one does not know yet. */
  #otherIncarnation (stream: StreamSubscription, epoch: string): void {
    if (epochOf(stream.confirmed) !== epoch) stream.fallBehind()
    if (this.#parts.connection.incarnation !== null) this.#parts.connection.reattach()
  }

  /** Checks whether some of the streams have missed something, others each time: a network may lose a publication. */
  async checkForMissed (): Promise<void> {
    if (!this.#isConnected || this.#working !== null) return
    const live = [...this.#streams.values()].filter(({ state }) => state === 'live')
    if (this.#nextCheck >= live.length) this.#nextCheck = 0
    const streams = live.slice(this.#nextCheck, this.#nextCheck += CHUNK)
    const before = streams.map(({ keys, confirmed }) => ({ keys, after: confirmed }))
    const { last, behind } = await this.#parts.reader.behind(before)
    for (const [at, stream] of streams.entries()) {
      if (behind[at] === false) stream.confirm(last)
      // What was on its way has arrived by the next check.
      else if (stream.isSuspect && stream.confirmed === before[at]?.after) stream.fallBehind()
      stream.isSuspect = behind[at] === true
    }
    this.#work()
  }

  /** Closes subscriptions that have had no listener for a while. */
  closeIdle (): void {
    const before = performance.now() - LINGER
    const idle = [...this.#streams.values()].filter(({ idleSince }) => idleSince !== null && idleSince < before)
    if (idle.length === 0) return
    for (const { keys: { entries } } of idle) this.#streams.delete(entries)
    for (const stream of idle) stream.close()
    const channels = idle.map(({ keys: { entries } }) => entries)
    if (!this.#isConnected) return
    // A connection that is lost has no subscriptions any more.
    this.#parts.subscriber.unsubscribe(channels).catch((error: unknown) => {
      if (!isPassing(error)) this.#parts.logger.error({ err: error }, 'Redis does not allow UNSUBSCRIBE')
    })
  }

  /**
   * Resolves when every subscription of now is live. Those that come later begin with what is published later, and
   * while clients keep coming there is always one that is not.
   */
  async caughtUp (): Promise<void> {
    const waiting = [...this.#streams.values()].filter(({ state }) => state !== 'live')
    const isWaiting = (stream: StreamSubscription): boolean =>
      stream.state !== 'live' && this.find(stream.keys.entries) === stream
    while (this.#working !== null && waiting.some(isWaiting)) await this.#working
  }

  #work (): void {
    if (
      this.#isClosed || this.#working !== null || !this.#isConnected ||
      this.#parts.connection.incarnation === null || !this.#hasWork()
    ) return
    this.#working = this.#workOnce().catch(async (error: unknown) => {
      // It goes on when Redis is back, which the connection logs.
      if (this.#isConnected && this.#parts.connection.isUp) {
        this.#parts.logger.error({ err: error }, 'streams could not be subscribed to, or read: retrying in a second')
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

  /**
   * Subscribes to what was asked for, and reads a page of each stream that is behind. What is left is done by the next
   * call: a stream of which much was missed keeps no other one waiting.
   */
  async #workOnce (): Promise<void> {
    // In a later tick: clients that come together are subscribed together.
    await nextTurn()
    const number = this.#connectionNumber
    // Some may have been left meanwhile.
    await this.#begin(this.#wanted.splice(0).filter(stream => this.find(stream.keys.entries) === stream), number)
    const behind = [...this.#streams.values()].filter(({ state }) => state === 'behind')
    for (let at = 0; at < behind.length; at += CHUNK) await this.#catchUp(behind.slice(at, at + CHUNK), number)
  }

  async #begin (streams: readonly StreamSubscription[], number: number): Promise<void> {
    if (streams.length === 0) return
    try {
      await this.#parts.subscriber.subscribe(streams.map(({ keys: { entries } }) => entries))
      const { last } = await this.#parts.reader.behind([])
      await nextTurn()
      this.#checkConnection(number)
      for (const stream of streams) if (stream.state === 'starting') stream.goLive(last)
    } catch (error) {
      this.#wanted.push(...streams)
      throw error
    }
  }

  async #catchUp (streams: readonly StreamSubscription[], number: number): Promise<void> {
    await this.#compare(streams.filter(({ isSuspect }) => !isSuspect), number)
    for (const stream of streams) if (stream.isSuspect) await this.#readPage(stream, number)
  }

  /** Finds out which streams have missed nothing, and has them go on. */
  async #compare (streams: readonly StreamSubscription[], number: number): Promise<void> {
    if (streams.length === 0) return
    const { last, behind } = await this.#parts.reader.behind(
      streams.map(({ keys, confirmed }) => ({ keys, after: confirmed }))
    )
    await nextTurn()
    this.#checkConnection(number)
    for (const [at, stream] of streams.entries()) {
      if (behind[at] === false) stream.confirm(last)
      stream.isSuspect = behind[at] !== false || !stream.caughtUp(epochOf(last))
    }
  }

  /** @throws Error when it is not the connection of now */
  #checkConnection (number: number): void {
    if (!this.#isConnected || this.#connectionNumber !== number) throw new Error('the connection was lost')
  }

  /** Reads some of what a stream has missed. If that was all, or what is buffered goes on from there, it is live. */
  async #readPage (stream: StreamSubscription, number: number): Promise<void> {
    const { entries, last } = await this.#parts.reader.read(stream.keys, stream.confirmed, PAGE_BYTES)
    // In a tick of its own: what is delivered now must not come between another read and what follows it.
    await nextTurn()
    if (entries === 'gap') stream.skipTo(last)
    else if (entries.length === 0) stream.confirm(last)
    else stream.deliver(entries)
    this.#checkConnection(number)
    const epoch = epochOf(last)
    const isAll = entries.length === 0 || stream.isBufferNext(epoch)
    stream.isSuspect = !isAll || !stream.caughtUp(epoch)
  }

  close (): void {
    this.#isClosed = true
    for (const stream of this.#streams.values()) stream.close()
    this.#streams.clear()
  }
}
