import type { FastifyBaseLogger } from 'fastify'
import { SILENT_ROOT_GRANT } from '../access/access.js'
import type { Catalogue } from '../events/catalogue.js'
import { inTime, STORE_PATIENCE } from '../host/in-time.js'
import type { Instances } from '../instances/instances.js'
import type { EventLog } from '../log/event-log.js'
import type { DisconnectRequest } from '../instances/nodes.js'
import type { ClientInfo } from '../types.js'
import type { Claims } from './claims.js'
import type { Delivery } from './delivery.js'
import { eventNames } from './filter.js'
import type { HistoryCache } from './history.js'
import type { Recovery } from './recovery.js'
import type { Registry } from './registry.js'
import { LiveSession } from './session.js'
import { Subscription } from './subscriptions.js'
import type { Telemetry } from './telemetry.js'
import type { Writer } from './writer.js'

interface Parts {
  readonly log: EventLog
  readonly catalogue: Catalogue
  readonly instances: Instances
  /** Whether clients of a disabled instance stay connected without events, instead of being disconnected. */
  readonly evolution: boolean
  readonly registry: Registry
  readonly claims: Claims
  readonly delivery: Delivery
  readonly writer: Writer
  readonly history: HistoryCache
  readonly recovery: Recovery
  readonly telemetry: Telemetry
  readonly logger: FastifyBaseLogger
}

/** Changes the state of sessions of this node, whatever their state and their transport. */
export class Sessions {
  readonly #parts: Parts

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /** The sessions that are open. */
  * open (): Generator<LiveSession> {
    for (const session of this.#parts.registry.all()) {
      if (session.isOpen && session instanceof LiveSession) yield session
    }
  }

  /** Opens an admitted session, after its transport is open. The session recovers what it missed, and becomes live. */
  start (session: LiveSession): void {
    const { claims, writer, recovery, telemetry } = this.#parts
    const { instance, subscription } = session
    session.open(subscription === null ? 'muted' : 'recovering')
    telemetry.connected(session)
    if (session.grant === SILENT_ROOT_GRANT) telemetry.atSilentRoot(session)
    if (!(subscription instanceof Subscription)) return
    // The config may have changed since admission.
    if (!this.#serves(instance)) {
      session.close('disabled')
      return
    }
    if (instance !== null) claims.add(instance)
    writer.checkAnswers(session.connection)
    if (!session.isOpen) return
    recovery.start(session, subscription)
  }

  #serves (instance: string | null): boolean {
    if (instance === null) return true
    const status = this.#parts.instances.status(instance)
    return status === 'served' || (status === 'instance-disabled' && this.#parts.evolution)
  }

  /** Sends the events that were emitted before, and closes the sessions that the new config does not allow. */
  async configChanged (instance: string): Promise<void> {
    await this.#sendEmitted(instance)
    const { registry, instances, history } = this.#parts
    // The cached pages of the root depend on when an instance was set.
    history.forget(null)
    const isServed = this.#serves(instance)
    const state = instances.status(instance) === 'instance-disabled' ? 'muted' : 'live'
    for (const session of registry.of(instance)) {
      if (!isServed) session.close('disabled')
      else if (session.state === 'live' || session.state === 'muted') session.open(state)
    }
  }

  /** Sends the events that were emitted before, and closes the sessions of an instance that is being removed. */
  async instanceRemoved (instance: string): Promise<void> {
    await this.#sendEmitted(instance)
    this.instanceRemovedElsewhere(instance)
  }

  /**
   * Closes the sessions of an instance that another node has removed. Its earlier events have been published already.
   */
  instanceRemovedElsewhere (instance: string): void {
    const { registry, delivery, history, claims } = this.#parts
    delivery.flushInstance(instance)
    for (const session of registry.of(instance)) session.close('removed')
    history.forget(instance)
    claims.delete(instance)
  }

  /** Sends the events that were emitted for an instance. A store that is unavailable is given a limited time. */
  async #sendEmitted (instance: string): Promise<void> {
    const { log, delivery, logger } = this.#parts
    try {
      await inTime(log.drained(), STORE_PATIENCE)
    } catch (err) {
      logger.warn(
        { err, instance },
        'config changed before all emitted events were sent: the store did not accept them in time'
      )
    }
    delivery.flushInstance(instance)
  }

  /** Sends the events that were emitted before, and closes sessions. Stock clients do not reconnect by themselves. */
  disconnect (target: DisconnectRequest): void {
    this.#parts.delivery.flushAll()
    for (const session of this.#parts.registry.matching(target)) session.close('kicked')
  }

  /** Refuses the sessions that are not open yet, because the server is shutting down. */
  closePending (): void {
    for (const session of [...this.#parts.registry.all()]) {
      if (!session.isOpen) session.close('closing')
    }
  }

  /** @param instance whose clients to list; left out: all */
  list (instance?: string): ClientInfo[] {
    const { registry } = this.#parts
    const open = instance === undefined
      ? [...this.open()]
      : registry.of(instance).filter(session => session instanceof LiveSession && session.isOpen)
    return (open as LiveSession[]).map(session => this.#infoOf(session))
  }

  #infoOf ({ instance, connection, since, grant, filter }: LiveSession): ClientInfo {
    return {
      instance,
      address: connection.address,
      since,
      events: grant === SILENT_ROOT_GRANT ? [] : eventNames(this.#parts.catalogue, filter),
      ...(instance === null && { instances: filter.instances === null ? null : [...filter.instances] }),
      queuedBytes: connection.queuedBytes
    }
  }
}
