import type { Socket } from 'socket.io'
import { type Access, hashKey } from '../access.js'
import { type CodedError, errorName, type ErrorName, errors } from '../errors.js'
import { type LimitCounters, limitOf, limitReached } from '../limits.js'
import { excerpt } from '../names.js'
import { type Admission, type Admittance, isPassing, refusalOf, targetOf } from './admission.js'
import { keyOf } from './handshake.js'
import type { Hold } from './holds.js'
import { type Connection, endConnection, namespaceCount } from './internals.js'
import type { Places } from './places.js'
import { askedOf, type Reports } from './reports.js'
import { SocketLink } from './socket-link.js'
import type { SocketSubscriber } from './socket-subscriber.js'
import type { Admitted } from './subscriber.js'
import type { Writer } from './writer.js'

/** A client between its first packet and its first moment inside. */
interface Arrival {
  /** The instance that it asks for; `null` is the root, `undefined` what is no name. */
  readonly instance: string | null | undefined
  /** Of the key that it brings, whether accepted or not. */
  readonly keyHash: string | null
  /** What it holds, once it is checked. */
  admitted: Admitted | null
  /** Keeps its stream watched until it is in. */
  hold: Hold | null
  /** Told to go by `disconnect` before it was in. */
  isSentAway: boolean
}

interface Parts {
  readonly access: Access
  readonly admission: Admission
  readonly places: Places
  /** Refusals after which a connection that serves nobody is ended; 0 is never. */
  readonly maxRefusals: number
  /** Clients that may ask to come in on one connection in a second; 0 is no limit. */
  readonly perSecond: number
  readonly limited: LimitCounters
  readonly writer: Writer
  readonly reports: Reports
}

/** Clients on their way in: checks each, and says no so that the stock client does the right thing. */
export class Arrivals {
  readonly #parts: Parts
  // Map(client that is not in yet -> how far it is)
  readonly #arrivals = new Map<object, Arrival>()
  // Map(error name -> clients)
  readonly #refused = new Map<string, number>()

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /** Clients refused or sent away, by the code without its prefix. */
  get refused (): Record<string, number> {
    return Object.fromEntries(this.#refused)
  }

  /** Resolves to what refuses a client, and `undefined` when it may come in. */
  async check (socket: Socket): Promise<Error | undefined> {
    const { conn, handshake } = socket
    try {
      await this.admit(socket, instanceAt(socket), keyOf(socket), async () => {
        // Not from the request: it may have lost its socket by the time that a second namespace is joined.
        const peer = this.#parts.access.peer(handshake.headers, conn.remoteAddress)
        const link = SocketLink.of(conn, peer.address)
        if (socket.nsp.name !== '/') link.asksForInstance = true
        if (link.ended) throw limitReached('namespacesPerConnection')
        this.#checkRate(link)
        checkSpelling(socket, link)
        link.join(socket)
        return await this.#parts.admission.admit(socket, link, peer)
      })
    } catch (error) {
      return await this.#refuse(socket, SocketLink.of(conn, conn.remoteAddress ?? null), error)
    }
  }

  /**
   * Notes how far a client is while it is checked. Its `settled` has to be called in any case.
   *
   * @param client what it is known by
   * @throws what the check throws; FORBIDDEN when it was sent away meanwhile
   */
  async admit (client: object, instance: Arrival['instance'], apikey: string | null, check: () => Promise<Admittance>): Promise<void> {
    const arrival: Arrival = { instance, keyHash: apikey === null ? null : hashKey(apikey), admitted: null, hold: null, isSentAway: false }
    this.#arrivals.set(client, arrival)
    const { admitted, hold } = await check()
    arrival.admitted = admitted
    arrival.hold = hold
    if (arrival.isSentAway) throw new errors.FORBIDDEN('this any more')
  }

  /** @throws LIMIT_REACHED for one that comes in and goes out, or is refused, faster than any use of it */
  #checkRate (link: SocketLink): void {
    const { perSecond } = this.#parts
    if (perSecond !== 0 && link.asked(Date.now()) > perSecond) throw limitReached('inboundPerSecond')
  }

  async #refuse (socket: Socket, link: SocketLink, error: unknown): Promise<Error> {
    const known = errorName(error)
    const name = known ?? 'VERIFY_FAILED'
    const refusal = refusalOf(known === undefined ? new errors.VERIFY_FAILED() : error as CodedError, name)
    const answer = Object.assign(new Error(refusal.message), { data: refusal })
    // What an ended connection had sent before is read on, and there may be much of it.
    if (link.ended) return answer
    const { reports, limited, writer } = this.#parts
    const refused = { name, instance: askedOf(socket), address: link.address }
    if (known === undefined) reports.uncheckable(refused, error)
    else reports.refused(refused)
    this.#countSocket(name, link)
    limited.countIn(error)
    if (limitOf(error) === 'inboundPerSecond') writer.end(link)
    // Coming back would change nothing where it has as many namespaces as it may have.
    else if (isPassing(name) && limitOf(error) !== 'namespacesPerConnection' && !servesAnother(socket, link)) await ended(link.connection)
    else this.#limitRefusals(link)
    return answer
  }

  /** A connection that serves nobody cannot be refused for ever, nor leave the answers unread. */
  #limitRefusals (link: SocketLink): void {
    const { maxRefusals, limited, writer } = this.#parts
    link.refusals++
    if (maxRefusals === 0 || link.refusals <= maxRefusals || link.subscribers.length > 0) {
      writer.checkAnswers(link)
      return
    }
    limited.count('namespacesPerConnection')
    writer.end(link)
  }

  /**
   * Socket.IO 2 clients and python-socketio join the root unasked, before or beside their instance: such a refusal is
   * no fault of theirs. Which of the two it was is known when the connection ends.
   */
  #countSocket (name: ErrorName, link: SocketLink): void {
    if (name !== 'GLOBAL_DISABLED') {
      this.count(name, link.address)
      return
    }
    this.#add(name)
    if (link.rootRefusals++ > 0) return
    link.connection.once('close', () => {
      if (link.asksForInstance) return
      for (let refusal = 0; refusal < link.rootRefusals; refusal++) this.#parts.places.refused(link.address)
    })
  }

  /** Counts and logs a client that is refused over HTTP, or what kept it from being checked. */
  refusedOverHttp (error: unknown, instance: string | null, address: string | null): void {
    const { limited, reports } = this.#parts
    const name = errorName(error)
    if (name === undefined) return
    this.count(name, address)
    limited.countIn(error)
    reports.refused({ name, instance, address })
  }

  /** Counts a client that is refused, or sent away. */
  count (name: ErrorName, address: string | null): void {
    this.#add(name)
    // What is the server's own fault, an outage of the host's check say, must lock nobody out.
    if (!isPassing(name)) this.#parts.places.refused(address)
  }

  #add (name: ErrorName): void {
    this.#refused.set(name, (this.#refused.get(name) ?? 0) + 1)
  }

  /**
   * Hands over what a client holds that is in now.
   *
   * @returns `null` for one that was never checked
   */
  take (client: object): { admitted: Admitted, isSentAway: boolean } | null {
    const arrival = this.#arrivals.get(client)
    if (arrival === undefined || arrival.admitted === null) return null
    const { admitted, isSentAway } = arrival
    arrival.admitted = null
    return { admitted, isSentAway }
  }

  /** A client is in, was refused, or is gone: what it held without being in is given back. */
  settled (client: object): void {
    const arrival = this.#arrivals.get(client)
    this.#arrivals.delete(client)
    arrival?.hold?.release()
    if (arrival?.admitted != null) this.#parts.admission.forget(arrival.admitted)
  }

  /**
   * Refuses those that are on their way, even if they are being let in already.
   *
   * @param instance left out: of all
   * @param keyHash left out: with any key or none
   */
  sendAway (instance: string | undefined, keyHash: string | undefined): void {
    for (const arrival of this.#arrivals.values()) {
      if ((instance === undefined || arrival.instance === instance) && (keyHash === undefined || arrival.keyHash === keyHash)) arrival.isSentAway = true
    }
  }
}

/**
 * Checks that a client asks for an instance by the spelling by which its connection is in it, or is joining it. The
 * same spelling takes the place of the first, as Socket.IO's own client expects.
 *
 * @throws ALREADY_JOINED
 */
function checkSpelling (socket: Socket, link: SocketLink): void {
  const instance = instanceAt(socket)
  if (typeof instance !== 'string') return
  const clients = [...link.joining, ...link.subscribers.map(subscriber => (subscriber as SocketSubscriber).socket)]
  const other = clients.find(({ nsp }) => nsp.name !== socket.nsp.name && instanceAt({ nsp }) === instance)
  if (other !== undefined) throw new errors.ALREADY_JOINED(instance, excerpt(other.nsp.name))
}

/** Ends a connection; resolves when it has ended. */
async function ended (connection: Connection): Promise<void> {
  if (connection.readyState === 'closed') return
  await new Promise<void>(resolve => {
    // First, because a listener of the host's that throws keeps those after it from being called.
    connection.prependOnceListener('close', () => { resolve() })
    endConnection(connection)
  })
}

/** Whether a connection serves another namespace, which must not suffer. Evolution's silent root is none. */
function servesAnother (socket: Socket, { subscribers }: SocketLink): boolean {
  const hosts = namespaceCount(socket) - subscribers.length
  return hosts > 0 || subscribers.some(({ listens }) => listens)
}

/** The instance whose namespace a client asks for; `undefined` for the root and for what is no name. */
function instanceAt (socket: Pick<Socket, 'nsp'>): string | null | undefined {
  try {
    return targetOf(socket.nsp.name)
  } catch {
    return undefined
  }
}
