import { setTimeout as pause } from 'node:timers/promises'
import { errors } from '../../errors.js'
import { inTime } from '../../host/in-time.js'
import { newEpoch } from '../../log/ids.js'
import type { StoreLogger } from '../store.js'
import { loadScripts, pauseBefore, type RedisClient, runScript, selectDatabase } from './client.js'
import { isPassing, isRefusal, OtherFormat, staysAttached, TooOld, unavailable } from './faults.js'
import type { Keys } from './keys.js'
import { idAt, positionOf } from './position.js'
import { FORMAT, type Script, scripts } from './scripts.js'

/** How long who only wants to know waits for an answer, in ms. */
const PATIENCE = 5000
/** And for Redis to come, since it went away: who asks later is told at once. */
const AWAY = 2000
/** Redis counts as away when it has not answered for so long, in ms. */
const SILENCE = 2000
/** A connection that was lost for no longer than this has not been away, in ms. */
const GRACE = 1000
/** A connection is given up after so long without an answer, in ms: the other side may be gone without a word. */
const DEAD = 15_000

/** The incarnation of the log, as Redis has told it. */
export interface Incarnation {
  readonly epoch: string
  /** Another one for each server that has had it. */
  readonly name: string
  /** The newest id at that time. */
  readonly last: string
}

interface Parts {
  readonly client: RedisClient
  readonly keys: Keys
  readonly logger: StoreLogger
}

/** A call that was not answered yet. */
interface Call {
  readonly since: number
  readonly fail: (error: Error) => void
}

/**
 * The connection by which Redis is asked. Before it is asked anything, it has to be *attached*: that makes sure that the
 * log is the one that this node knows, and that it has lost nothing that this node knows of.
 */
export class RedisConnection {
  readonly #parts: Parts
  // Oldest first
  readonly #calls = new Set<Call>()
  #incarnation: Incarnation | null = null
  /** The newest id of the log that this node knows of, and in which incarnation. Sent when it attaches. */
  #highWaterMark: { readonly epoch: string, readonly incarnation: string, last: string } | null = null
  #attaching: Promise<void> | null = null
  /** When it was attached last, and is not any more, by `performance.now()`. */
  #lostAt = -Infinity
  #openedAt = 0
  #failure: unknown
  #wake: () => void = () => {}
  #isClosed = false
  #isReported = false
  #isStarted = false
  #isWarned = false
  #refuse: () => void = () => {}
  #whenAttached: (incarnation: Incarnation) => void = () => {}
  /** Resolves when Redis has refused us. */
  readonly refused = new Promise<void>(resolve => { this.#refuse = resolve })

  constructor (parts: Parts) {
    this.#parts = parts
    const { client } = parts
    // Redis says it in so many words on each try; it is told once.
    client.on('error', (error: unknown) => { this.#failure = error })
    client.on('ready', () => { this.#lost() })
    client.on('close', () => {
      this.#lost()
      // Whatever the client does with what it was asked: nobody waits for an answer that cannot come.
      for (const { fail } of this.#calls) fail(new Error('the connection was lost'))
    })
  }

  /** @param listener told when Redis can be asked, for the first time or again. To be given before `open` */
  whenAttached (listener: (incarnation: Incarnation) => void): void {
    this.#whenAttached = listener
  }

  /** Begins to connect. */
  open (): void {
    this.#openedAt = performance.now()
    this.#parts.client.connect().catch((error: unknown) => { this.#failure = error })
    this.#lost()
  }

  /** The start is over: from now on it is told when Redis is away, and whether it is now. */
  started (): void {
    this.#isStarted = true
    if (this.#incarnation === null) this.#report()
  }

  /** The incarnation of the log that this node takes part in; `null` while Redis is away. */
  get incarnation (): Incarnation | null {
    return this.#incarnation
  }

  /** The incarnation that this node takes part in, as soon as it does. @throws STORE_UNAVAILABLE */
  async current (): Promise<Incarnation> {
    const end = performance.now() + PATIENCE
    for (;;) {
      await this.#attachedBy(end)
      if (this.#incarnation !== null) return this.#incarnation
    }
  }

  /** Whether Redis answers. */
  get isUp (): boolean {
    if (this.#incarnation === null) return performance.now() - this.#lostAt < GRACE
    return this.#waiting() < SILENCE
  }

  /** What kept it from connecting last, if anything has. */
  get failure (): unknown {
    return this.#failure
  }

  /** For how long the oldest call has waited for its answer, in ms. */
  #waiting (): number {
    const [oldest] = this.#calls
    return oldest === undefined ? 0 : performance.now() - oldest.since
  }

  /** Raises the high-water mark of this node: a log that ends before it has lost something. */
  observe (id: string, epoch: string, incarnation: string): void {
    const mark = this.#highWaterMark
    if (mark !== null && mark.epoch === epoch && mark.incarnation === incarnation && id > mark.last) mark.last = id
  }

  /**
   * Runs a script.
   *
   * @throws an error that passes, by {@link isPassing}, when the call may be made again after {@link attached}; or
   *   STORE_UNAVAILABLE
   */
  async run (script: Script, keys: readonly string[], args: ReadonlyArray<string | Buffer>): Promise<unknown> {
    if (this.#incarnation === null) throw new Error('it is away')
    return await this.#call(script, keys, args)
  }

  async #call (script: Script, keys: readonly string[], args: ReadonlyArray<string | Buffer>): Promise<unknown> {
    return await this.#answered(async () => await runScript(this.#parts.client, script.sha, keys, args))
  }

  /** What Redis answers to a command. @throws as {@link run} */
  async #answered<Answer> (ask: () => Promise<Answer>): Promise<Answer> {
    let fail = (error: Error): void => { throw error }
    const lost = new Promise<never>((resolve, reject) => { fail = reject })
    const call: Call = { since: performance.now(), fail }
    this.#calls.add(call)
    try {
      return await Promise.race([ask(), lost])
    } catch (error) {
      if (isPassing(error)) {
        if (!staysAttached(error)) this.#lost()
        throw error
      }
      throw unavailable(error)
    } finally {
      this.#calls.delete(call)
    }
  }

  /**
   * Asks Redis what can wait a moment and does no harm when it is done twice.
   *
   * @throws STORE_UNAVAILABLE
   */
  async ask<Answer> (ask: (client: RedisClient) => Promise<Answer>): Promise<Answer> {
    const end = performance.now() + PATIENCE
    const left = (): number => Math.max(0, end - performance.now())
    let failure: unknown
    for (let failures = 0; ; failures++) {
      if (failures > 1) await pause(Math.min(pauseBefore(failures - 2), left()))
      await this.#attachedBy(end, failure)
      try {
        // A question that takes too long is still waited for as a call: the connection is not lost by it.
        return await inTime(this.#answered(async () => await ask(this.#parts.client)), left())
      } catch (error) {
        if (!isPassing(error)) throw error
        failure = error
      }
    }
  }

  /** As {@link ask}, with a script. */
  async askScript (script: Script, keys: readonly string[], args: ReadonlyArray<string | Buffer>): Promise<unknown> {
    return await this.ask(async client => await runScript(client, script.sha, keys, args))
  }

  /** @param failure what the call has failed with before */
  async #attachedBy (end: number, failure?: unknown): Promise<void> {
    const away = (): Error => unavailable(this.#failure ?? failure ?? new Error('it does not answer'))
    if (this.#isClosed) throw new errors.STORE_UNAVAILABLE('it is closed')
    if (performance.now() >= end) throw away()
    if (this.#incarnation !== null) return
    const until = Math.min(end, Math.max(this.#lostAt, this.#openedAt) + AWAY)
    await inTime(this.attached(), Math.max(0, until - performance.now())).catch(() => { throw away() })
  }

  /** Resolves when Redis can be asked; rejects when it is closed before. */
  async attached (): Promise<void> {
    if (this.#incarnation !== null) return
    await (this.#attaching ?? Promise.resolve())
    if (this.#isClosed) throw new errors.STORE_UNAVAILABLE('it is closed')
    if (this.#incarnation === null) await this.attached()
  }

  /** It has to be attached again: it is another server, perhaps, or another incarnation of the log. */
  reattach (): void {
    this.#lost()
  }

  #lost (): void {
    if (this.#incarnation !== null) this.#lostAt = performance.now()
    this.#incarnation = null
    if (this.#attaching === null) this.#attach()
    else this.#wake()
  }

  #attach (): void {
    if (this.#incarnation !== null || this.#isClosed) return
    this.#attaching = this.#attachWithRetries().finally(() => {
      this.#attaching = null
      // It may have been lost in the very moment.
      this.#attach()
    })
  }

  async #attachWithRetries (): Promise<void> {
    for (let attempt = 0; !this.#isClosed; attempt++) {
      try {
        if (this.#parts.client.status === 'ready') {
          const incarnation = await this.#attachOnce()
          if (!this.#isClosed) this.#done(incarnation)
          return
        }
      } catch (error) {
        this.#failure = error
      }
      this.#report()
      await this.#pause(pauseBefore(attempt))
    }
  }

  /** Once for each time that it is away, and not before it has tried. At the start, who opens the store tells. */
  #report (): void {
    if (isRefusal(this.#failure)) this.#refuse()
    if (this.#isReported || this.#failure === undefined || !this.#isStarted) return
    this.#isReported = true
    const why = isRefusal(this.#failure) ? 'Redis refuses us' : 'Redis is away'
    this.#parts.logger.error(
      { err: this.#failure },
      `${why}: what is emitted waits, as far as limits.pendingEvents and pendingBytes allow, and clients stay connected`
    )
  }

  async #attachOnce (): Promise<Incarnation> {
    const { client } = this.#parts
    await this.#answered(async () => { await selectDatabase(client) })
    await this.#answered(async () => { await loadScripts(client, Object.values(scripts).map(({ lua }) => lua)) })
    return await this.#ask('', '')
  }

  async #ask (channel: string, number: string): Promise<Incarnation> {
    const mark = this.#highWaterMark
    const args = [
      newEpoch(),
      mark?.epoch ?? '',
      mark?.incarnation ?? '',
      mark === null ? '' : positionOf(mark.last),
      channel,
      number
    ]
    const answer = await this.#call(scripts.attach, [this.#parts.keys.log], args)
    const [format = '', epoch = '', incarnation = '', last = '', , version = '', policy = ''] =
      (answer as Buffer[]).map(String)
    if (format !== FORMAT) throw this.#otherFormat(format)
    checkVersion(version)
    if (policy !== '' && policy !== 'noeviction') this.#warnOf(policy)
    return { epoch, name: incarnation, last: idAt(last, epoch) }
  }

  /** Nothing may be written to it any more, also where it was attached before. */
  #otherFormat (format: string): Error {
    const { log } = this.#parts.keys
    this.#lost()
    return new OtherFormat(
      `its keys (${log}, …) have format ${JSON.stringify(format)}, and this version of fastify-ws-events knows ${FORMAT}: ` +
      'use the version that wrote them on every node, or choose another prefix'
    )
  }

  #warnOf (policy: string): void {
    if (this.#isWarned) return
    this.#isWarned = true
    this.#parts.logger.warn(
      { policy },
      'Redis may drop events and configs when its memory is full, and clients would miss them in silence: set its maxmemory-policy to noeviction'
    )
  }

  #done (incarnation: Incarnation): void {
    if (this.#isReported) this.#parts.logger.warn({}, 'Redis is back')
    this.#isReported = false
    this.#failure = undefined
    this.#take(incarnation)
    this.#whenAttached(incarnation)
  }

  #take (incarnation: Incarnation): void {
    this.#incarnation = incarnation
    if (this.#highWaterMark?.epoch !== incarnation.epoch || this.#highWaterMark.incarnation !== incarnation.name) {
      this.#highWaterMark = { epoch: incarnation.epoch, incarnation: incarnation.name, last: incarnation.last }
    }
  }

  /** Whether a incarnation is the one that this node takes part in. */
  isCurrent (epoch: string, incarnation: string): boolean {
    return this.#incarnation !== null && this.#incarnation.epoch === epoch && this.#incarnation.name === incarnation
  }

  /**
   * Makes sure that it is still the same log, and has Redis publish a number.
   *
   * @throws as {@link run}
   */
  async beat (channel: string, number: string): Promise<void> {
    if (this.#incarnation === null) throw new Error('it is away')
    const incarnation = await this.#ask(channel, number)
    if (this.isCurrent(incarnation.epoch, incarnation.name)) return
    this.#take(incarnation)
    this.#whenAttached(incarnation)
  }

  /** Writes what is there already. @throws as {@link run}, also when Redis refuses it */
  async probeWrites (): Promise<void> {
    if (this.#incarnation === null) throw new Error('it is away')
    await this.#answered(async () => await this.#parts.client.hset(this.#parts.keys.log, 'format', FORMAT))
  }

  /** Gives a connection up that does not answer at all. To be asked now and then, whatever else waits. */
  checkDead (): void {
    if (this.#waiting() > DEAD) this.#parts.client.disconnect(true)
  }

  async #pause (ms: number): Promise<void> {
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = () => {}
  }

  /** Whoever waits is rejected. */
  close (): void {
    this.#isClosed = true
    this.#incarnation = null
    this.#lostAt = -Infinity
    this.#wake()
    this.#parts.client.disconnect()
  }
}

/** @throws TooOld */
function checkVersion (version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (version !== '' && (major < 6 || (major === 6 && minor < 2))) {
    throw new TooOld(`it is Redis ${version}, and 6.2 or later is needed`)
  }
}
