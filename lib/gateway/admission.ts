import type { Socket } from 'socket.io'
import { type Access, type Grant, type Peer, SILENT } from '../access.js'
import { CODE_PREFIX, type CodedError, type ErrorName, errors } from '../errors.js'
import type { Catalogue } from '../events/catalogue.js'
import { inTime, STORE_PATIENCE } from '../in-time.js'
import type { Instances } from '../instances.js'
import { instanceOfNamespace } from '../names.js'
import type { Settings } from '../options.js'
import type { Refusal } from '../types.js'
import { type Filter, makeFilter } from './filter.js'
import { checkRepeated, type Handshake, handshakeOf, SOCKET_PARAMETERS } from './handshake.js'
import type { Hold, Holds } from './holds.js'
import type { Places } from './places.js'
import type { Link } from './link.js'
import type { Admitted } from './subscriber.js'

/** What a client asks for by its namespace; `null` is the root. */
export const targetOf = (namespace: string): string | null => namespace === '/' ? null : instanceOfNamespace(namespace)

/** Faults that pass by themselves. Their clients come back when the connection is ended, and only then. */
const PASSING: ReadonlySet<ErrorName> = new Set<ErrorName>(['VERIFY_FAILED', 'LIMIT_REACHED', 'DISABLED', 'STORE_UNAVAILABLE', 'CLOSED'])
/** Refusals that end when somebody changes a config. */
const RETRY: ReadonlySet<ErrorName> = new Set<ErrorName>(['GLOBAL_DISABLED', 'NOT_SET', 'INSTANCE_DISABLED'])

export const isPassing = (name: ErrorName): boolean => PASSING.has(name)

export function refusalOf (error: CodedError, name: ErrorName): Refusal {
  // A handler of the application may have made it, or changed it.
  const { statusCode, message } = error as { statusCode?: unknown, message: unknown }
  return { code: `${CODE_PREFIX}${name}`, statusCode: typeof statusCode === 'number' ? statusCode : 500, message: String(message), retry: PASSING.has(name) || RETRY.has(name) }
}

interface Parts {
  readonly settings: Settings
  readonly access: Access
  readonly catalogue: Catalogue
  readonly instances: Instances
  readonly places: Places
  readonly holds: Holds
  /** Whether the store answers. */
  readonly isAvailable: () => boolean
  /** Whether the namespace of an instance's name is the host's. */
  readonly isHosts: (instance: string) => boolean
  /** Whether the server is shutting down. */
  readonly isClosing: () => boolean
}

/** A client that may come in, and what keeps its stream watched until it is in; `null` where it gets nothing. */
export interface Admittance<Carrier extends Link = Link> {
  readonly admitted: Admitted & { readonly link: Carrier }
  readonly hold: Hold | null
}

/** What a caller may see of what it asks for. */
export interface View {
  readonly grant: Grant
  readonly filter: Filter
}

/** Decides who gets into which namespace, at the moment of connecting, and who may read its past. */
export class Admission {
  readonly #parts: Parts

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /**
   * Checks a client that wants into a namespace. What it learns of instances, it learns only with a key that opens
   * them.
   *
   * @throws a coded error, for the client
   */
  async admit (socket: Socket, link: Link, peer: Peer): Promise<Admittance> {
    const { access, places } = this.#parts
    this.#checkCaller(peer)
    access.checkOrigin(peer)
    const instance = targetOf(socket.nsp.name)
    places.take(link)
    try {
      if (instance === null && this.#parts.settings.mode === 'traditional') return { admitted: this.#admitToSilentRoot(link), hold: null }
      checkRepeated(socket.handshake.url, SOCKET_PARAMETERS)
      const { grant, filter } = await this.#view(instance, handshakeOf(socket), peer)
      return { admitted: { instance, link, grant, filter }, hold: await this.#enter(instance) }
    } catch (error) {
      places.giveBack(link)
      throw error
    }
  }

  /**
   * Checks a client that asks for a stream over HTTP, as the routes check who calls them: a page from elsewhere needs
   * a key, and whether it may read the answer its browser asks the application's own CORS.
   *
   * @throws a coded error, for the client
   */
  async admitStream<Carrier extends Link> (instance: string | null, handshake: Handshake, link: Carrier, peer: Peer, checkQuery: () => void): Promise<Admittance<Carrier>> {
    const { places } = this.#parts
    this.#checkCaller(peer)
    places.take(link)
    try {
      const { grant, filter } = await this.#viewOverHttp(instance, handshake, peer, checkQuery)
      return { admitted: { instance, link, grant, filter }, hold: await this.#enter(instance) }
    } catch (error) {
      places.giveBack(link)
      throw error
    }
  }

  /**
   * Checks who asks for a page of the past, and has its stream watched.
   *
   * @returns what it may see, and what it has to release
   * @throws a coded error, for the caller
   */
  async admitReader (instance: string | null, handshake: Handshake, peer: Peer, checkQuery: () => void): Promise<View & { readonly hold: Hold }> {
    this.#checkCaller(peer)
    const view = await this.#viewOverHttp(instance, handshake, peer, checkQuery)
    return { ...view, hold: await this.#hold(instance) }
  }

  #checkCaller (peer: Peer): void {
    this.#checkOpen()
    this.#parts.places.checkRefusals(peer.address)
  }

  async #viewOverHttp (instance: string | null, handshake: Handshake, peer: Peer, checkQuery: () => void): Promise<View> {
    const view = await this.#view(instance, handshake, peer, checkQuery)
    // Nothing of ours goes to a namespace of the host's, and no such client could come in there.
    if (instance !== null && this.#parts.isHosts(instance)) throw new errors.HOST_NAMESPACE(instance)
    return view
  }

  /** @param checkRest called when the key is accepted */
  async #view (instance: string | null, { apikey, headers, asked }: Handshake, peer: Peer, checkRest?: () => void): Promise<View> {
    const grant = await this.#parts.access.authorize(apikey, instance, peer, headers)
    checkRest?.()
    this.#checkServed(instance)
    return { grant, filter: makeFilter(this.#parts.catalogue, asked, grant, instance) }
  }

  /** Counts a client in whose stream is watched from now on, so that nothing can be missed until it is in. */
  async #enter (instance: string | null): Promise<Hold> {
    const { places } = this.#parts
    places.enter(instance)
    try {
      return await this.#hold(instance)
    } catch (error) {
      places.leave(instance)
      throw error
    }
  }

  async #hold (instance: string | null): Promise<Hold> {
    const hold = this.#parts.holds.take(instance)
    // Without waiting where there is nothing to wait for.
    return hold.ready === undefined ? hold : await this.#untilReady(instance, hold, hold.ready)
  }

  async #untilReady (instance: string | null, hold: Hold, ready: Promise<void>): Promise<Hold> {
    try {
      await inTime(ready, STORE_PATIENCE).catch((cause: unknown) => { throw Object.assign(new errors.STORE_UNAVAILABLE('come back in a moment'), { cause }) })
      // It may have changed meanwhile.
      this.#checkServed(instance)
      return hold
    } catch (error) {
      hold.release()
      throw error
    }
  }

  /** Gives back what a client holds that was admitted, and has left. */
  forget ({ link, instance, grant }: Pick<Admitted, 'link' | 'instance' | 'grant'>): void {
    if (grant !== SILENT) this.#parts.places.leave(instance)
    this.#parts.places.giveBack(link)
  }

  /** Python clients of Evolution join the root unasked, and give up when it refuses. Nobody is checked, so nobody fills it. */
  #admitToSilentRoot (link: Link): Admitted {
    if (!this.#parts.settings.evolution) throw new errors.GLOBAL_DISABLED()
    return { instance: null, link, grant: SILENT, filter: makeFilter(this.#parts.catalogue, {}, SILENT, null) }
  }

  /**
   * Checks that an instance, or the root, is served now.
   *
   * @throws CLOSED, STORE_UNAVAILABLE, NOT_SET, INSTANCE_DISABLED
   */
  #checkServed (instance: string | null): void {
    this.#checkOpen()
    if (!this.#parts.instances.isLoaded || !this.#parts.isAvailable()) throw new errors.STORE_UNAVAILABLE('come back in a moment')
    if (instance !== null) this.#checkStanding(instance)
  }

  /** @throws NOT_SET, INSTANCE_DISABLED */
  #checkStanding (instance: string): void {
    const standing = this.#parts.instances.standing(instance)
    const path = encodeURIComponent(instance)
    if (standing === 'not-set') throw new errors.NOT_SET(instance, path)
    // Evolution's clients stay, and hear nothing.
    if (standing === 'instance-disabled' && !this.#parts.settings.evolution) throw new errors.INSTANCE_DISABLED(instance, path)
  }

  #checkOpen (): void {
    if (this.#parts.isClosing()) throw new errors.CLOSED()
  }
}
