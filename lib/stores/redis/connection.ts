import { setTimeout as pause } from 'node:timers/promises'
import { errors } from '../../errors.js'
import { inTime } from '../../host/in-time.js'
import { newEpoch } from '../../log/ids.js'
import type { StoreLogger } from '../store.js'
import { loadScripts, pauseBefore, type RedisClient, runScript, selectDatabase } from './client.js'
import { isPassing, isRefusal, isWriteRefusal, OtherFormat, staysAttached, TooOld, unavailable } from './faults.js'
import type { Keys } from './keys.js'
import { Pause } from './pause.js'
import { idAt, positionOf } from './position.js'
import { FORMAT, type Script, scripts } from './scripts.js'

/** How long a request may take, with all of its tries, in ms. */
const REQUEST_TIMEOUT = 5000
/** Once Redis has been away for so long, in ms, requests fail at once. */
const OUTAGE_TIMEOUT = 2000
/** Redis counts as away when it has not answered for so long, in ms. */
const UNRESPONSIVE_AFTER = 2000
/** A connection that was lost for no longer than this has not been away, in ms. */
const RECONNECT_GRACE = 1000
/** A connection is given up after so long without an answer, in ms: the other side may be gone without a word. */
const DEAD_AFTER = 15_000

/** The log under one process of Redis. A restart or a failover makes another one, which may have lost events. */
export interface Incarnation {
  readonly epoch: string
  /** Differs for each process of Redis that has had the log. */
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
 * The connection for commands. It is *attached* to the log before any other command: the script `ATTACH` finds out
 * whether the log is the one that this node knows, and whether it has lost anything. The promise that needs it:
 * no loss goes unnoticed (docs/stores.md, "What Redis keeps"). Each lost connection is attached anew.
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
  #detachedAt = -Infinity
  #openedAt = 0
  #failure: unknown
  readonly #pause = new Pause()
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
    // It comes with each try to connect, and is logged once.
    client.on('error', (error: unknown) => { this.#failure = error })
    client.on('ready', () => { this.#detach() })
    client.on('close', () => {
      this.#detach()
      // ioredis may forget commands without an answer. None can come any more.
      for (const { fail } of this.#calls) fail(new Error('the connection was lost'))
    })
  }

  /** @param listener called each time that the connection has attached. To be given before `open` */
  whenAttached (listener: (incarnation: Incarnation) => void): void {
    this.#whenAttached = listener
  }

  /** Begins to connect. */
  open (): void {
    this.#openedAt = performance.now()
    this.#parts.client.connect().catch((error: unknown) => { this.#failure = error })
    this.#detach()
  }

  /** The store is open: from now on it is logged when Redis is away, and whether it is now. */
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
    const end = performance.now() + REQUEST_TIMEOUT
    for (;;) {
      await this.#attachedBy(end)
      if (this.#incarnation !== null) return this.#incarnation
    }
  }

  /** Whether Redis answers. */
  get isUp (): boolean {
    if (this.#incarnation === null) return performance.now() - this.#detachedAt < RECONNECT_GRACE
    return this.#waiting() < UNRESPONSIVE_AFTER
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
    return await this.#tracked(async () => await runScript(this.#parts.client, script.sha, keys, args))
  }

  /** What Redis answers to a command. @throws as {@link run} */
  async #tracked<Answer> (send: () => Promise<Answer>): Promise<Answer> {
    let fail = (error: Error): void => { throw error }
    const lost = new Promise<never>((resolve, reject) => { fail = reject })
    const call: Call = { since: performance.now(), fail }
    this.#calls.add(call)
    try {
      return await Promise.race([send(), lost])
    } catch (error) {
      if (isPassing(error)) {
        if (!staysAttached(error)) this.#detach()
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
  async request<Answer> (send: (client: RedisClient) => Promise<Answer>): Promise<Answer> {
    const end = performance.now() + REQUEST_TIMEOUT
    const left = (): number => Math.max(0, end - performance.now())
    let failure: unknown
    for (let failures = 0; ; failures++) {
      if (failures > 1) await pause(Math.min(pauseBefore(failures - 2), left()))
      await this.#attachedBy(end, failure)
      try {
        // A question that takes too long is still waited for as a call: the connection is not lost by it.
        return await inTime(this.#tracked(async () => await send(this.#parts.client)), left())
      } catch (error) {
        if (!isPassing(error)) throw error
        // After a refusal the connection may be lost too, as with READONLY. What Redis has said tells more.
        if (!isWriteRefusal(failure)) failure = error
      }
    }
  }

  /** As {@link request}, with a script. */
  async requestScript (
    script: Script,
    keys: readonly string[],
    args: ReadonlyArray<string | Buffer>
  ): Promise<unknown> {
    return await this.request(async client => await runScript(client, script.sha, keys, args))
  }

  /** @param failure what the call has failed with before */
  async #attachedBy (end: number, failure?: unknown): Promise<void> {
    const why = isWriteRefusal(failure) ? failure : this.#failure ?? failure
    const away = (): Error => unavailable(why ?? this.#failure ?? new Error('it does not answer'))
    if (this.#isClosed) throw new errors.STORE_UNAVAILABLE('it is closed')
    if (performance.now() >= end) throw away()
    if (this.#incarnation !== null) return
    const until = Math.min(end, Math.max(this.#detachedAt, this.#openedAt) + OUTAGE_TIMEOUT)
    await inTime(this.attached(), Math.max(0, until - performance.now())).catch(() => { throw away() })
  }

  /** Resolves when it is attached. @throws STORE_UNAVAILABLE when it is closed before */
  async attached (): Promise<void> {
    if (this.#incarnation !== null) return
    await (this.#attaching ?? Promise.resolve())
    if (this.#isClosed) throw new errors.STORE_UNAVAILABLE('it is closed')
    if (this.#incarnation === null) await this.attached()
  }

  /** It has to be attached again: it is another server, perhaps, or another incarnation of the log. */
  reattach (): void {
    this.#detach()
  }

  #detach (): void {
    if (this.#incarnation !== null) this.#detachedAt = performance.now()
    this.#incarnation = null
    if (this.#attaching === null) this.#attach()
    else this.#pause.end()
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
          if (!this.#isClosed) this.#attached(incarnation)
          return
        }
      } catch (error) {
        this.#failure = error
      }
      this.#report()
      await this.#pause.wait(pauseBefore(attempt))
    }
  }

  /** Logs once for each outage, after the first try that failed. Before `started`, the opener of the store does. */
  #report (): void {
    if (isRefusal(this.#failure)) this.#refuse()
    if (this.#isReported || this.#failure === undefined || !this.#isStarted) return
    this.#isReported = true
    const why = isRefusal(this.#failure) ? 'Redis rejects this server' : 'Redis is away'
    this.#parts.logger.error(
      { err: this.#failure },
      `${why}: events wait, up to limits.pendingEvents and limits.pendingBytes. Clients stay connected`
    )
  }

  async #attachOnce (): Promise<Incarnation> {
    const { client } = this.#parts
    await this.#tracked(async () => { await selectDatabase(client) })
    await this.#tracked(async () => { await loadScripts(client, Object.values(scripts).map(({ lua }) => lua)) })
    return await this.#runAttach('', '')
  }

  async #runAttach (channel: string, number: string): Promise<Incarnation> {
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
    this.#detach()
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

  #attached (incarnation: Incarnation): void {
    if (this.#isReported) this.#parts.logger.warn({}, 'Redis is back')
    this.#isReported = false
    this.#failure = undefined
    this.#setIncarnation(incarnation)
    this.#whenAttached(incarnation)
  }

  #setIncarnation (incarnation: Incarnation): void {
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
  async heartbeat (channel: string, number: string): Promise<void> {
    if (this.#incarnation === null) throw new Error('it is away')
    const incarnation = await this.#runAttach(channel, number)
    if (this.isCurrent(incarnation.epoch, incarnation.name)) return
    this.#setIncarnation(incarnation)
    this.#whenAttached(incarnation)
  }

  /** Writes what is there already. @throws as {@link run}, also when Redis refuses it */
  async probeWrites (): Promise<void> {
    if (this.#incarnation === null) throw new Error('it is away')
    await this.#tracked(async () => await this.#parts.client.hset(this.#parts.keys.log, 'format', FORMAT))
  }

  /** Ends a connection that answers nothing any more. The heartbeat calls it before anything that may wait. */
  checkDead (): void {
    if (this.#waiting() > DEAD_AFTER) this.#parts.client.disconnect(true)
  }

  /** Whoever waits is rejected. */
  close (): void {
    this.#isClosed = true
    this.#incarnation = null
    this.#detachedAt = -Infinity
    this.#pause.end()
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
