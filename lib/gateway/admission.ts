import { type Access, type Peer, SILENT_ROOT_GRANT } from '../access/access.js'
import { errors } from '../errors.js'
import type { Catalogue } from '../events/catalogue.js'
import { inTime, STORE_PATIENCE } from '../host/in-time.js'
import type { InstanceNames } from '../limits/instance-names.js'
import type { Instances } from '../instances/instances.js'
import type { OpenStore } from '../stores/store.js'
import type { RefusedAddresses } from '../limits/refused-addresses.js'
import type { Mode } from '../types.js'
import { makeFilter } from './filter.js'
import type { Reauthorization } from './reauthorization.js'
import type { Session } from './session.js'

interface Parts {
  readonly mode: Mode
  readonly evolution: boolean
  readonly access: Access
  readonly catalogue: Catalogue
  readonly instances: Instances
  readonly names: Pick<InstanceNames, 'use'>
  readonly refused: RefusedAddresses
  readonly reauthorization: Reauthorization
  readonly store: Pick<OpenStore, 'health'>
}

/** Authorizes sessions: takes each from the state `connecting` to `subscribing`, or refuses it. */
export class Admission {
  readonly #parts: Parts
  #isClosing = false

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /** Whether sessions at the root get events. */
  get servesRoot (): boolean {
    return this.#parts.mode === 'global'
  }

  /** Refuses every session from now on. */
  close (): void {
    this.#isClosing = true
  }

  /**
   * Checks whether clients from an address are accepted now.
   *
   * @throws CLOSED, LIMIT_REACHED
   */
  checkCaller (peer: Peer): void {
    this.#checkRunning()
    this.#parts.refused.check(peer.address)
  }

  /**
   * Checks a session's key, then its instance, then its filter. In this order a client without a valid key learns
   * nothing about the instance. Resolves when no event published to its stream from now on can be missed.
   *
   * @param checkRequest checks the rest of the request after the key is accepted. It may throw
   * @throws a coded error, for the client. The caller must then close the session
   */
  async admit (session: Session, peer: Peer, checkRequest?: () => void): Promise<void> {
    const { mode, access, catalogue, reauthorization } = this.#parts
    const { instance } = session
    session.begin()
    if (instance === null && mode === 'traditional') {
      this.#admitToSilentRoot(session)
      return
    }
    const { apikey, headers, asked } = session.handshake
    const grant = await session.during(access.authorize(apikey, instance, peer, headers))
    checkRequest?.()
    this.#checkServed(instance)
    if (instance !== null) this.#parts.names.use(instance)
    session.subscribe(grant, makeFilter(catalogue, asked, grant, instance))
    reauthorization.schedule(session)
    const ready = session.subscription?.ready
    // Await only if `ready` is pending: an await lets other events in between.
    if (ready !== undefined) await this.#untilReady(session, ready)
  }

  async #untilReady (session: Session, ready: Promise<void>): Promise<void> {
    await session.during(inTime(ready, STORE_PATIENCE).catch((cause: unknown) => {
      throw Object.assign(new errors.STORE_UNAVAILABLE('try again in a moment'), { cause })
    }))
    // The config may have changed, or the store become unavailable, during the awaits.
    this.#checkServed(session.instance)
  }

  /** Evolution's Python clients join the root by default, and disconnect if the root refuses them. */
  #admitToSilentRoot (session: Session): void {
    if (!this.#parts.evolution) throw new errors.GLOBAL_DISABLED()
    session.subscribeToNothing(SILENT_ROOT_GRANT, makeFilter(this.#parts.catalogue, {}, SILENT_ROOT_GRANT, null))
  }

  /**
   * Checks that an instance, or the root, is currently served.
   *
   * @throws CLOSED, STORE_UNAVAILABLE, NOT_SET, INSTANCE_DISABLED
   */
  #checkServed (instance: string | null): void {
    this.#checkRunning()
    const { instances, store } = this.#parts
    const isAvailable = instances.isLoaded && store.health?.().available !== false
    if (!isAvailable) throw new errors.STORE_UNAVAILABLE('try again in a moment')
    if (instance === null) return
    const status = instances.status(instance)
    const path = encodeURIComponent(instance)
    if (status === 'not-set') throw new errors.NOT_SET(instance, path)
    // With `evolution`, clients of a disabled instance are accepted and get no events.
    if (status === 'instance-disabled' && !this.#parts.evolution) throw new errors.INSTANCE_DISABLED(instance, path)
  }

  /** @throws CLOSED */
  #checkRunning (): void {
    if (this.#isClosing) throw new errors.CLOSED()
  }
}
