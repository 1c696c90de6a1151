import type { FastifyBaseLogger } from 'fastify'
import type { Catalogue } from '../events/catalogue.js'
import { inTime, STORE_PATIENCE } from '../in-time.js'
import type { Instances } from '../instances.js'
import type { EventLog } from '../log/event-log.js'
import type { Dismissal } from '../nodes.js'
import type { ClientInfo } from '../types.js'
import type { Admission } from './admission.js'
import { clientInfo } from './client-info.js'
import type { Delivery } from './delivery.js'
import type { Renewals } from './renewals.js'
import type { Reports } from './reports.js'
import type { Resumption } from './resume.js'
import type { Subscriber } from './subscriber.js'

interface Parts {
  readonly log: EventLog
  readonly catalogue: Catalogue
  readonly instances: Instances
  /** Whether the clients of a disabled instance stay, and hear nothing. */
  readonly evolution: boolean
  readonly admission: Admission
  readonly delivery: Delivery
  readonly resumption: Resumption
  readonly renewals: Renewals
  /** Told of each instance that has a client. */
  readonly joined: (instance: string) => void
  readonly reports: Reports
  readonly logger: FastifyBaseLogger
}

/** The clients of this node that are in, however they are connected, and what ends them. */
export class Clients {
  /** Clients that have come in. */
  admitted = 0
  readonly #parts: Parts
  // Map(what a client is known by -> subscriber)
  readonly #subscribers = new Map<object, Subscriber>()

  constructor (parts: Parts) {
    this.#parts = parts
  }

  get size (): number {
    return this.#subscribers.size
  }

  /** @param client what it is known by */
  of (client: object): Subscriber | undefined {
    return this.#subscribers.get(client)
  }

  all (): Subscriber[] {
    return [...this.#subscribers.values()]
  }

  /** Counts in a client that was let in. */
  add (subscriber: Subscriber): void {
    this.#subscribers.set(subscriber.client, subscriber)
    subscriber.link.add(subscriber)
    this.admitted++
    this.#parts.reports.connected(subscriber)
  }

  /** Brings a client what it is entitled to from now on, and looks after its grant. */
  join (subscriber: Subscriber): void {
    const { joined, resumption, renewals } = this.#parts
    if (subscriber.instance !== null) joined(subscriber.instance)
    resumption.enter(subscriber)
    renewals.watch(subscriber)
  }

  /** Whether the config in force serves a client. */
  isWelcome ({ instance }: Subscriber): boolean {
    if (instance === null) return true
    const standing = this.#parts.instances.standing(instance)
    return standing === 'served' || (standing === 'instance-disabled' && this.#parts.evolution)
  }

  /**
   * A client has gone.
   *
   * @param reason Socket.IO's word for it
   */
  forget (subscriber: Subscriber, reason: string): void {
    if (!this.#subscribers.delete(subscriber.client)) return
    const { delivery, renewals, admission, reports } = this.#parts
    reports.disconnected(subscriber, reason)
    subscriber.link.delete(subscriber)
    delivery.leave(subscriber)
    renewals.forget(subscriber)
    admission.forget(subscriber)
  }

  /** Sends a client away. Listeners of the host's hear of it at once, and one that throws must not keep us from others. */
  dismiss (subscriber: Subscriber): void {
    try {
      subscriber.dismiss()
    } catch (err) {
      this.#parts.reports.listenerFailed(err, subscriber)
    }
    this.forget(subscriber, 'server namespace disconnect')
  }

  /** Ends those clients of an instance that its config in force no longer serves, after what was emitted before. */
  async configChanged (instance: string): Promise<void> {
    await this.sendEmitted(instance)
    for (const subscriber of this.#parts.delivery.subscribersOf(instance)) {
      if (!this.isWelcome(subscriber)) this.dismiss(subscriber)
    }
  }

  /** Ends the clients of an instance that is no more. */
  instanceGone (instance: string): void {
    const { delivery } = this.#parts
    delivery.flushInstance(instance)
    for (const subscriber of delivery.subscribersOf(instance)) this.dismiss(subscriber)
  }

  /** Sends what was emitted for an instance. A store that is away has until its time is over. */
  async sendEmitted (instance: string): Promise<void> {
    const { log, delivery, logger } = this.#parts
    try {
      await inTime(log.drained(), STORE_PATIENCE)
    } catch (err) {
      logger.warn({ err, instance }, 'a config has changed before all that was emitted could be sent: the store has not taken it')
    }
    delivery.flushInstance(instance)
  }

  /** Ends clients so that they stay away, after what was emitted before. */
  disconnect ({ instance, keyHash }: Dismissal): void {
    this.#parts.delivery.flushAll()
    for (const subscriber of this.all()) {
      const isMeant = (instance === undefined || subscriber.instance === instance) && (keyHash === undefined || subscriber.grant.keyHash === keyHash)
      if (isMeant) this.dismiss(subscriber)
    }
  }

  /** @param instance of which to list the clients; left out: all */
  list (instance?: string): ClientInfo[] {
    return this.all()
      .filter(subscriber => instance === undefined || subscriber.instance === instance)
      .map(subscriber => clientInfo(subscriber, this.#parts.catalogue))
  }
}
