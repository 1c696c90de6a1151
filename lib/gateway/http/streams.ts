import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Access } from '../../access.js'
import { errors } from '../../errors.js'
import type { Admission } from '../admission.js'
import type { Arrivals } from '../arrivals.js'
import type { Clients } from '../clients.js'
import type { Handshake } from '../handshake.js'
import { Heartbeats } from './heartbeats.js'
import type { AskedPage, PastPage, PastPages } from './past-pages.js'
import { StreamLink } from './stream-link.js'
import { StreamSubscriber } from './stream-subscriber.js'

interface Parts {
  readonly access: Access
  readonly admission: Admission
  readonly arrivals: Arrivals
  readonly clients: Clients
  readonly pages: PastPages
  /** Whether the server is shutting down. */
  readonly isClosing: () => boolean
}

/** The request for a stream, and where it is answered. */
export interface StreamRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** `null` is the root. */
  readonly instance: string | null
  readonly handshake: Handshake
  /** Called when the key is accepted. @throws what is wrong with what else it asks for */
  readonly checkQuery: () => void
  /** Writes the headers, after which there is no refusing any more. */
  readonly begin: () => void
}

/** The clients that come by HTTP: with a stream of their own, or for a page of the past. */
export class Streams {
  readonly #parts: Parts
  readonly #heartbeats = new Heartbeats()

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /**
   * Lets a client in, and writes to it until it goes or is ended.
   *
   * @throws a coded error, for the client, before anything was written
   */
  async open ({ request, response, instance, handshake, checkQuery, begin }: StreamRequest): Promise<void> {
    const { access, admission, arrivals, isClosing } = this.#parts
    const peer = access.peer(handshake.headers, handshake.remoteAddress)
    const link = new StreamLink(response, request.socket, peer.address)
    try {
      await arrivals.admit(link, instance, handshake.apikey, async () => await admission.admitStream(instance, handshake, link, peer, checkQuery))
      if (isClosing()) throw new errors.CLOSED()
      // It gives back what it holds as one that was never in.
      if (link.isGone) return
      begin()
      this.#enter(link, handshake)
    } catch (error) {
      arrivals.refusedOverHttp(error, instance, peer.address)
      throw error
    } finally {
      arrivals.settled(link)
    }
  }

  #enter (link: StreamLink, handshake: Handshake): void {
    const { arrivals, clients } = this.#parts
    const arrival = arrivals.take(link)
    if (arrival === null) return
    const subscriber = new StreamSubscriber({ ...arrival.admitted, link }, handshake)
    clients.add(subscriber)
    this.#heartbeats.add(link)
    link.whenClosed(() => {
      this.#heartbeats.delete(link)
      clients.forget(subscriber, this.#parts.isClosing() ? 'server shutting down' : 'transport close')
    })
    link.begin()
    // A config or a key may have changed since the client was checked.
    if (arrival.isSentAway || !clients.isWelcome(subscriber)) clients.dismiss(subscriber)
    else clients.join(subscriber)
  }

  /**
   * Reads a page of the past.
   *
   * @throws a coded error, for the caller
   */
  async page (instance: string | null, handshake: Handshake, asked: AskedPage & { readonly checkQuery: () => void }): Promise<PastPage> {
    const { access, admission, arrivals, pages } = this.#parts
    const peer = access.peer(handshake.headers, handshake.remoteAddress)
    try {
      const { filter, hold } = await admission.admitReader(instance, handshake, peer, asked.checkQuery)
      try {
        return await pages.read(instance, filter, asked)
      } finally {
        hold.release()
      }
    } catch (error) {
      arrivals.refusedOverHttp(error, instance, peer.address)
      throw error
    }
  }

  /** Ends every stream so that its client comes back, after what waits for it. */
  async close (): Promise<void> {
    const streams = this.#parts.clients.all().filter(subscriber => subscriber instanceof StreamSubscriber)
    await Promise.all(streams.map(async ({ link }) => { await link.finish() }))
  }
}
