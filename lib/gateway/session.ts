import { type Grant, hashKey } from '../access/access.js'
import type { Position, Ready } from '../types.js'
import type { FrameBatch } from './batch.js'
import type { Connection, Shared } from './connection.js'
import { type AskedFilter, type Filter, UNFILTERED } from './filter.js'
import type { Handshake } from './handshake.js'
import { type CloseDetail, REASONS, type ReasonName, refusalFor } from './reasons.js'
import type { StreamName } from '../log/event-log.js'

/**
 * - `connecting`: it exists, and was not checked yet.
 * - `authorizing`: its key is being checked.
 * - `subscribing`: its key is accepted, and it holds a lease of its stream. It waits until that is ready and until its
 *   transport has opened (for Socket.IO: until the application's own middlewares have let it in).
 * - `recovering`: it is open, and history is replayed to it, or read for it.
 * - `live`: it gets events as they are published.
 * - `muted`: it is open and gets none: its instance is disabled (`evolution`), or it is at the root in traditional
 *   mode.
 * - `closed`: it holds nothing. The end.
 */
export type SessionState = 'connecting' | 'authorizing' | 'subscribing' | 'recovering' | 'live' | 'muted' | 'closed'

/** A lease of the subscription of a stream. */
export interface Lease {
  /** Resolves when nothing can be missed any more; `undefined` where that is so already. */
  readonly ready: Promise<void> | undefined
}

/** When a grant is due for re-authorization. */
export interface Expiry {
  timer: NodeJS.Timeout
  /** The filter that its client has set since it came in; `undefined`: the one that came with its request. */
  asked: AskedFilter | undefined
}

/**
 * What sessions acquire from, and release to, as far as they know it. One object for all sessions. It is made of parts
 * that know sessions.
 */
export interface SessionServices {
  readonly registry: {
    add(session: Session): void
    delete(session: Session): void
  }
  readonly quotas: {
    /** @throws LIMIT_REACHED */
    take(connection: Connection): void
    giveBack(connection: Connection): void
    /** @throws LIMIT_REACHED */
    enter(instance: string | null): void
    leave(instance: string | null): void
  }
  readonly subscriptions: {
    acquire(stream: StreamName): Lease
    release(lease: Lease): void
  }
  readonly delivery: {
    leave(session: LiveSession): void
  }
  readonly telemetry: {
    closed(session: Session, reason: ReasonName, detail: CloseDetail): void
    listenerFailed(err: unknown, instance: string | null | undefined, address: string | null): void
  }
}

/** What a session needs of the writer that has it deliver. */
export interface DeliveryWriter {
  /** Whether frames may go straight to sockets. */
  readonly direct: boolean
  readonly tick: number
  /** Ends a connection for which too much waits. @returns whether it has ended */
  endIfSlow(connection: Connection, own?: number, waiting?: number): boolean
  /** Runs what listeners of the application may hear. */
  guarded(connection: Connection, write: () => void): void
}

/** What a session may see before its key is accepted: nothing. */
const NOTHING: Grant = {
  global: false,
  instances: new Set(),
  events: null,
  publish: false,
  keyHash: null,
  expiresAt: null
}

/**
 * One client in one stream: a namespace of Socket.IO, an event stream over HTTP, or a page of history. It is the only
 * holder of what belongs to that client, from its first packet to its end.
 */
export abstract class Session {
  /** `null` at the root. */
  readonly instance: string | null
  readonly connection: Connection
  #state: SessionState = 'connecting'
  #reason: ReasonName | null = null
  /** SHA-256 of the key that came, accepted or not, in base64. */
  keyHash: string | null
  grant: Grant = NOTHING
  /** What it asked for, within its grant. */
  filter: Filter = UNFILTERED
  /** Its lease of the stream. */
  subscription: Lease | null = null
  /** When its grant is due for re-authorization; `null`: never. */
  expiry: Expiry | null = null
  /** Whether it counts under `connectionsPerInstance`. */
  isCounted = false
  protected readonly services: SessionServices
  /** Rejects what the session waits for. */
  #interrupt: ((reason: Error) => void) | null = null

  constructor (services: SessionServices, connection: Connection, instance: string | null, { apikey }: Handshake) {
    this.services = services
    this.connection = connection
    this.instance = instance
    this.keyHash = apikey === null ? null : hashKey(apikey)
  }

  /** What came with its request. */
  abstract readonly handshake: Handshake

  get state (): SessionState {
    return this.#state
  }

  /** Why it is closed; `null` while it is not. */
  get reason (): ReasonName | null {
    return this.#reason
  }

  /** With whom it shares what is written to it; `null`: with nobody. */
  get shared (): Shared | null {
    return null
  }

  /** Past the handshake, and not closed. */
  get isOpen (): boolean {
    return this.#state === 'recovering' || this.#state === 'live' || this.#state === 'muted'
  }

  /** Moves on to a state in which it is open. One that is closed stays closed. */
  open (state: 'recovering' | 'live' | 'muted'): void {
    if (this.#state !== 'closed') this.#state = state
  }

  /**
   * Takes its places, first of all that it does.
   *
   * @throws LIMIT_REACHED; the error for its reason when it is closed already
   */
  begin (): void {
    this.checkNotClosed()
    const { quotas, registry } = this.services
    quotas.take(this.connection)
    this.connection.add(this)
    registry.add(this)
    this.#state = 'authorizing'
  }

  /**
   * Its key is accepted. It counts under its instance from now on, and its stream is subscribed to.
   *
   * @throws LIMIT_REACHED
   */
  subscribe (grant: Grant, filter: Filter): void {
    const { quotas, subscriptions } = this.services
    this.grant = grant
    this.filter = filter
    // The same text as before: one copy for both.
    this.keyHash = grant.keyHash
    quotas.enter(this.instance)
    this.isCounted = true
    this.subscription = subscriptions.acquire(this.instance)
    this.#state = 'subscribing'
  }

  /** It gets nothing, so it needs no key and fills no instance: Evolution's clients at the root in traditional mode. */
  subscribeToNothing (grant: Grant, filter: Filter): void {
    this.grant = grant
    this.filter = filter
    this.#state = 'subscribing'
  }

  /**
   * Settles as `work` does. When the session closes first it rejects: at once, or, while its key is being checked, when
   * that is done, because who has no key must not learn what has become of the instance.
   *
   * @throws the coded error for the reason for which it closed
   */
  async during<T> (work: Promise<T>): Promise<T> {
    const value = await new Promise<T>((resolve, reject) => {
      this.#interrupt = reject
      work.then(resolve, reject)
    })
    this.#interrupt = null
    this.checkNotClosed()
    return value
  }

  /** @throws the coded error for the reason for which it closed */
  checkNotClosed (): void {
    if (this.#reason !== null) throw refusalFor(this.#reason, this.instance)
  }

  /** Closes it, from any state, once. What it acquired is released here, in the reverse order. */
  close (reason: ReasonName, detail: CloseDetail = {}): void {
    const { isOpen: wasOpen } = this
    const state = this.#state
    if (state === 'closed') return
    this.#state = 'closed'
    this.#reason = reason
    // One that is `connecting` has acquired nothing.
    if (state !== 'connecting') this.#release()
    if (state !== 'authorizing') this.#interrupt?.(refusalFor(reason, this.instance))
    // A session that is not open yet is refused by its transport.
    if (wasOpen) this.endClient(reason, detail)
  }

  #release (): void {
    const { registry, quotas, subscriptions } = this.services
    this.stop()
    clearTimeout(this.expiry?.timer)
    this.expiry = null
    if (this.subscription !== null) subscriptions.release(this.subscription)
    this.subscription = null
    if (this.isCounted) quotas.leave(this.instance)
    registry.delete(this)
    this.connection.delete(this)
    quotas.giveBack(this.connection)
  }

  /** Releases what a session acquires after its lease. */
  protected stop (): void {}

  /** It was open, and has closed: its client is to be told so. */
  protected endClient (_reason: ReasonName, _detail: CloseDetail): void {}
}

/** A session that gets events as they are published. There may be very many, so every field counts. */
export abstract class LiveSession extends Session {
  /** Whether its client keeps ids to resume from, and so wants to know its offset. */
  readonly resumes: boolean
  /** Whether it is a stock client that does so by its pid: events have their id as a second argument. */
  readonly byPid: boolean
  /**
   * The id after which its history is replayed. Empty: it resumes from now on, without a replay; `null`: history does
   * not reach back to its last event; `undefined`: it does not resume.
   */
  replayAfter: string | null | undefined
  /** Messages of its client in the current second; `null` for the many that send none. */
  rate: Rate | null = null

  constructor (services: SessionServices, connection: Connection, instance: string | null, handshake: Handshake) {
    super(services, connection, instance, handshake)
    this.resumes = handshake.lastEventId !== undefined
    this.byPid = handshake.byPid === true
    this.replayAfter = handshake.lastEventId
  }

  /** When its client asked to be let in. */
  abstract readonly since: Date

  /** Whether events are written to it. */
  protected get isReceiving (): boolean {
    return this.state === 'live' || this.state === 'recovering'
  }

  /**
   * Writes events to its client.
   *
   * @returns `false` when it was not written: the connection is ended, or its client is too slow
   */
  abstract deliver (batch: FrameBatch, writer: DeliveryWriter): boolean

  /** Tells its client its offset. A listener of the application may hear of it, and throw. */
  abstract notify (name: 'ws.ready', content: Ready): void
  abstract notify (name: 'ws.position', content: Position): void

  /** Ends it alone, so that a stock client stays away. A listener of the application may hear of it, and throw. */
  protected abstract disconnect (): void

  protected override endClient (reason: ReasonName, detail: CloseDetail): void {
    const { telemetry } = this.services
    telemetry.closed(this, reason, detail)
    const { ending } = REASONS[reason]
    if (ending === 'reconnect') this.connection.end(reason)
    if (ending !== 'disconnect') return
    try {
      this.disconnect()
    } catch (err) {
      // It must not keep others from being ended.
      telemetry.listenerFailed(err, this.instance, this.connection.address)
    }
  }

  protected override stop (): void {
    this.services.delivery.leave(this)
  }
}

/** Messages of a client in the second that began at `since`, by `performance.now()`. */
interface Rate {
  readonly since: number
  messages: number
}
