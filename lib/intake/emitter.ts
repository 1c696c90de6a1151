import type { FastifyBaseLogger } from 'fastify'
import type { Activity } from './activity.js'
import { StartupBuffer, type Held } from './startup-buffer.js'
import { emitChannel } from '../diagnostics/channels.js'
import { errorName, errors } from '../errors.js'
import type { Catalogue, EventType } from '../events/catalogue.js'
import { buildMessage, type MessageParts } from '../events/message.js'
import { encodeRecord } from '../gateway/packet.js'
import { inTime, STORE_PATIENCE } from '../host/in-time.js'
import type { InstanceNames } from '../limits/instance-names.js'
import type { Instances } from '../instances/instances.js'
import { checkMessageSize, type LimitCounters } from '../limits/limits.js'
import type { LogAppend, LogRecord, OnceRequest, OnceResult, StreamName } from '../log/event-log.js'
import type { Traffic } from '../metrics/traffic.js'
import { excerpt, instanceName } from '../instances/names.js'
import type { Settings } from '../options.js'
import { namespacesOf, type Route, type Router } from '../instances/router.js'
import type { OpenStore, StoreHealth } from '../stores/store.js'
import type { EmitOptions, EmitResult, EmitStats, SkipReason, StoreStats } from '../types.js'

interface Parts {
  readonly settings: Settings
  readonly catalogue: Catalogue
  readonly instances: Instances
  readonly router: Router
  readonly names: Pick<InstanceNames, 'use'>
  readonly store: Pick<OpenStore, 'log' | 'health'>
  readonly limited: LimitCounters
  /** `null` where nobody asks for metrics. */
  readonly traffic: Traffic | null
  readonly activity: Activity
  readonly logger: FastifyBaseLogger
}

/** An event as somebody outside of the process gives it. */
export interface Publication {
  readonly instance: string
  /** In either spelling. */
  readonly event: string
  readonly data: unknown
  readonly options: EmitOptions
  /** Left out: the option `serverUrl`. */
  readonly serverUrl?: string | null | undefined
}

/** What became of events that are to be emitted once. */
export type OnceOutcome = Exclude<OnceResult, { readonly ids: unknown }> | {
  readonly outcome: 'appended' | 'repeated'
  readonly results: readonly EmitResult[]
  readonly note: string
}

/** A {@link OnceRequest} without what the emitter adds to it. A fence is a note without results. */
export type Once = Omit<OnceRequest, 'answer'>

/** A store that is never away. */
const AVAILABLE: StoreHealth = { available: true, pendingEvents: 0, pendingBytes: 0 }

/** Takes events to the log: checks, routes and encodes them, and counts what becomes of them. */
export class Emitter {
  readonly #parts: Parts
  readonly #startup: StartupBuffer
  readonly #skipped: Record<SkipReason, number> = {
    disabled: 0,
    'not-set': 0,
    'instance-disabled': 0,
    filtered: 0,
    'host-namespace': 0
  }

  #emits = 0
  #rejections = 0
  #storeFailures = 0
  #isClosed = false

  constructor (parts: Parts) {
    this.#parts = parts
    this.#startup = new StartupBuffer(parts.settings.limits, !parts.instances.isLoaded, held => this.#send(held))
    parts.instances.whenLoaded(() => { this.#startup.release() })
  }

  /** As `fastify.wsEvents.emit`. */
  emit (instance: string, event: string, data: unknown, options?: EmitOptions | null): Promise<EmitResult> {
    return traced(instance, event, () => {
      try {
        const result = this.#emit(instance, event, data, options ?? {})
        return result instanceof Promise ? harmless(result) : Promise.resolve(result)
      } catch (err) {
        return harmless(Promise.reject(this.#rejected(err, instance, event)))
      }
    })
  }

  #emit (instance: string, spelling: string, data: unknown, options: EmitOptions): EmitResult | Promise<EmitResult> {
    const { catalogue, router, store, settings: { serverUrl } } = this.#parts
    this.checkOpen()
    const name = instanceName(instance)
    const event = catalogue.get(spelling)
    if (this.#isDisabled) return this.#accepted(null, name, event, router.route(name, event))
    if (this.#startup.isHolding) {
      catalogue.validate(event, data)
      const record = this.#encoded({ event, instance: name, data, serverUrl, options })
      return this.#hold({ name, event, record, isLogged: true })
    }
    const route = router.route(name, event)
    catalogue.validate(event, data)
    if (!store.log.wants(route.streams)) return this.#accepted(null, name, event, route)
    this.#useName(route, name)
    const record = this.#encoded({ event, instance: name, data, serverUrl, options })
    return this.#remember(route, { name, event, record, isLogged: true }, spelling)
  }

  /**
   * Checks and encodes an event without emitting it. What is wrong with it is the caller's to log.
   *
   * @throws INVALID_NAME, UNKNOWN_EVENT, INVALID_DATA, NOT_SERIALIZABLE, MESSAGE_TOO_LARGE, CLOSED
   */
  prepare ({ instance, event: spelling, data, options, serverUrl }: Publication): Held {
    try {
      this.checkOpen()
      const { catalogue, settings } = this.#parts
      const name = instanceName(instance)
      const event = catalogue.get(spelling)
      catalogue.validate(event, data)
      const record = this.#encoded({
        event, instance: name, data, serverUrl: serverUrl === undefined ? settings.serverUrl : serverUrl, options
      })
      return { name, event, record, isLogged: false }
    } catch (err) {
      throw this.#refused(err)
    }
  }

  /**
   * Emits an event that was prepared. A rejection is the caller's to log.
   *
   * @throws LIMIT_REACHED, STORE_UNAVAILABLE, PENDING_FULL, CLOSED
   */
  send (held: Held): Promise<EmitResult> {
    return traced(held.name, held.event.name, async () => await this.#sendNow(held))
  }

  /**
   * Emits events that were prepared, as {@link send} does each. Without a promise for each of them, since a list may be
   * long and most stores have an event at once.
   *
   * @returns what became of each, in their order
   */
  async sendEach (events: readonly Held[]): Promise<readonly EmitResult[]> {
    if (emitChannel.hasSubscribers) return await Promise.all(events.map(held => this.send(held)))
    const done: EmitResult[] = []
    const waiting: Array<Promise<unknown>> = []
    for (const [at, held] of events.entries()) {
      try {
        const result = this.#sendNow(held)
        if (result instanceof Promise) waiting.push(result.then(late => { done[at] = late }))
        else done[at] = result
      } catch (err) {
        waiting.push(failing(err))
      }
    }
    if (waiting.length > 0) await Promise.all(waiting)
    return done
  }

  #sendNow (held: Held): EmitResult | Promise<EmitResult> {
    try {
      this.checkOpen()
    } catch (err) {
      throw this.#refused(err)
    }
    const { name, event } = held
    if (this.#isDisabled) return this.#accepted(null, name, event, this.#parts.router.route(name, event))
    return this.#startup.isHolding ? this.#hold(held) : this.#send(held)
  }

  /** Whether the store can keep keys, so that what is repeated is emitted once. */
  get keepsKeys (): boolean {
    return this.#parts.store.log.appendOnce !== undefined
  }

  /**
   * Emits events that were prepared as one unit: all of them or none, and once for a key.
   *
   * @throws INVALID_DATA when the store keeps no keys; else as {@link send}
   */
  async sendOnce (once: Once, events: readonly Held[]): Promise<OnceOutcome> {
    try {
      this.checkOpen()
      // The configs are not loaded, so there is no route yet. A request with an idempotency key can safely be repeated.
      if (this.#startup.isHolding) throw new errors.STORE_UNAVAILABLE('it has not been there since the start')
      const routes = events.map(({ name, event }) => this.#parts.router.route(name, event))
      for (const [at, { name }] of events.entries()) this.#useName(routes[at] ?? NOWHERE, name)
      const appends = events.map(({ record }, at) => ({ streams: routes[at]?.streams ?? [], record }))
      const result = await this.#appendOnce(once, { results: routes.map(resultOf), note: '' }, appends)
      if (result.outcome === 'appended') {
        for (const [at, { name, event }] of events.entries()) {
          this.#accepted(result.ids[at] ?? null, name, event, routes[at] ?? NOWHERE)
        }
      }
      return outcomeOf(result)
    } catch (err) {
      throw this.#refused(err)
    }
  }

  /**
   * Puts a note in place of what is kept under a key, with results that are given back together with it.
   *
   * @throws as {@link sendOnce}
   */
  async note (once: Once, results: readonly EmitResult[], note: string): Promise<OnceOutcome> {
    return outcomeOf(await this.#appendOnce({ ...once, replaces: true }, { results, note }, []))
  }

  async #appendOnce ({ fence, ...once }: Once, answer: Answer, events: readonly LogAppend[]): Promise<OnceResult> {
    const { log } = this.#parts.store
    if (log.appendOnce === undefined) {
      throw new errors.INVALID_DATA(
        'Idempotency-Key: the store of this server keeps no keys: leave the header out, or use memory:, lmdb: or redis:'
      )
    }
    const request: OnceRequest = {
      ...once,
      answer: JSON.stringify(answer),
      // Answers are compared as texts, and notes without results differ by the note alone.
      ...fence !== undefined && { fence: { ...fence, after: JSON.stringify({ results: [], note: fence.after }) } }
    }
    try {
      return await log.appendOnce(request, events)
    } catch (err) {
      throw this.#storeFailure(err)
    }
  }

  get #isDisabled (): boolean {
    return this.#parts.settings.mode === 'disabled'
  }

  /** @throws LIMIT_REACHED where the log keeps a stream for a name that is one too many */
  #useName ({ streams }: Route, name: string): void {
    if (!streams.includes(name)) return
    try {
      this.#parts.names.use(name)
    } catch (err) {
      this.#parts.limited.countIn(err)
      throw err
    }
  }

  #encoded (parts: MessageParts): LogRecord {
    const { settings: { limits }, limited } = this.#parts
    const record = encodeRecord(buildMessage(parts))
    try {
      checkMessageSize(limits, record)
    } catch (err) {
      limited.countIn(err)
      throw err
    }
    return record
  }

  #hold (held: Held): Promise<EmitResult> {
    try {
      return this.#startup.hold(held)
    } catch (err) {
      const failure = this.#storeFailure(err)
      throw held.isLogged ? failure : this.#refused(failure)
    }
  }

  /** Takes an event where it goes. */
  #send (held: Held): EmitResult | Promise<EmitResult> {
    const { name, event } = held
    const route = this.#parts.router.route(name, event)
    try {
      if (!this.#parts.store.log.wants(route.streams)) return this.#accepted(null, name, event, route)
      this.#useName(route, name)
      return this.#remember(route, held, event.name)
    } catch (err) {
      throw this.#failed(held, err, event.name)
    }
  }

  /** @param spelling of the event, as the caller of `emit` wrote it */
  #remember (route: Route, held: Held, spelling: string): EmitResult | Promise<EmitResult> {
    const id = this.#append(route.streams, held.record)
    if (typeof id === 'string') return this.#accepted(id, held.name, held.event, route)
    return Promise.resolve(id).then(
      id => this.#accepted(id, held.name, held.event, route),
      (err: unknown) => { throw this.#failed(held, this.#storeFailure(err), spelling) }
    )
  }

  #append (streams: readonly StreamName[], record: LogRecord): string | Promise<string> {
    try {
      return this.#parts.store.log.append(streams, record)
    } catch (err) {
      throw this.#storeFailure(err)
    }
  }

  #storeFailure (err: unknown): Error {
    this.#storeFailures++
    this.#parts.limited.countIn(err)
    if (errorName(err) !== undefined) return err as Error
    return Object.assign(new errors.STORE_UNAVAILABLE(err instanceof Error ? err.message : String(err)), { cause: err })
  }

  #accepted (id: string | null, name: string, event: EventType, route: Route): EmitResult {
    this.#emits++
    this.#parts.activity.note(name, route.skipped)
    this.#parts.traffic?.emitted(event)
    const result: EmitResult = { id, routes: namespacesOf(route) }
    if (route.skipped !== null) {
      this.#skipped[route.skipped]++
      result.skipped = route.skipped
    }
    return result
  }

  #failed ({ name, isLogged }: Held, err: unknown, event: string): Error {
    return isLogged ? this.#rejected(err, name, event) : this.#refused(err)
  }

  /** Counts and logs what an emit is rejected with. */
  #rejected (err: unknown, instance: unknown, event: unknown): Error {
    this.#parts.logger.error({ err, instance: shown(instance), event: shown(event) }, 'an event was not emitted')
    return this.#refused(err)
  }

  /** Counts what an emit is rejected with. */
  #refused (err: unknown): Error {
    this.#rejections++
    this.#parts.traffic?.rejected(err)
    return err instanceof Error ? err : new Error(String(err))
  }

  get stats (): EmitStats {
    return { accepted: this.#emits, rejected: this.#rejections, skipped: { ...this.#skipped } }
  }

  /** The store, with what waits here for it. */
  get storeStats (): StoreStats {
    const { available, pendingEvents, pendingBytes } = this.#parts.store.health?.() ?? AVAILABLE
    return {
      available,
      pendingEvents: pendingEvents + this.#startup.events,
      pendingBytes: pendingBytes + this.#startup.bytes,
      failures: this.#storeFailures
    }
  }

  /** @throws CLOSED */
  checkOpen (): void {
    if (this.#isClosed) throw new errors.CLOSED()
  }

  /** Takes nothing more, and waits for a while until the store has what was emitted. */
  async close (): Promise<void> {
    const { store: { log }, logger } = this.#parts
    this.#isClosed = true
    this.#startup.reject(held => this.#failed(held, new errors.CLOSED(), held.event.name))
    try {
      await inTime(log.drained(), STORE_PATIENCE)
    } catch (err) {
      const { available, pendingEvents, pendingBytes } = this.storeStats
      logger.warn(
        { err, available, pendingEvents, pendingBytes },
        'the server is closed before the store has all that was emitted: what still waits is rejected'
      )
    }
  }
}

/** What is kept with a key: the results without the ids of this call, which the store gives. */
interface Answer {
  readonly results: ReadonlyArray<Omit<EmitResult, 'id'> & { readonly id?: string | null }>
  readonly note: string
}

function outcomeOf (result: OnceResult): OnceOutcome {
  if (!('ids' in result)) return result
  const { results, note } = JSON.parse(result.answer) as Answer
  return {
    outcome: result.outcome,
    note,
    results: results.map(({ id, ...rest }, at) => ({ id: id ?? result.ids[at] ?? null, ...rest }))
  }
}

const failing = async (err: unknown): Promise<never> => { throw err }

const NOWHERE: Route = { streams: [], skipped: null }

function resultOf (route: Route): Omit<EmitResult, 'id'> {
  const routes = namespacesOf(route)
  return route.skipped === null ? { routes } : { routes, skipped: route.skipped }
}

function traced (instance: unknown, event: unknown, emit: () => Promise<EmitResult>): Promise<EmitResult> {
  if (!emitChannel.hasSubscribers) return emit()
  return harmless(emitChannel.tracePromise(emit, { instance: shown(instance), event: shown(event) }))
}

/** What a caller gave as a name. From JavaScript, it may be none. */
const shown = (value: unknown): string => typeof value === 'string' ? excerpt(value) : typeof value

/** A rejection is in the log already. Most callers do not wait for it, and theirs must not end the process. */
function harmless<Result> (promise: Promise<Result>): Promise<Result> {
  promise.catch(() => {})
  return promise
}
