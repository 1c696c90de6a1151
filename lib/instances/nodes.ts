import type { FastifyBaseLogger } from 'fastify'
import { randomUUID } from 'node:crypto'
import { errors } from '../errors.js'
import { inTime, STORE_PATIENCE } from '../host/in-time.js'
import type { Peers } from '../stores/store.js'

/** Which clients to disconnect. */
export interface DisconnectRequest {
  /** The name of their instance. */
  readonly instance?: string | undefined
  /** SHA-256 of their key, in base64. */
  readonly keyHash?: string | undefined
}

/** The part of the gateway that is used here. Not imported, because the gateway imports types of this module. */
interface Disconnecting {
  disconnect(target: DisconnectRequest): void
}

interface Parts {
  /** Messages to the other nodes; `undefined` if no other node uses the store. */
  readonly peers: Peers | undefined
  /** The clients of this node; `null` in disabled mode. */
  readonly gateway: Disconnecting | null
  readonly logger: FastifyBaseLogger
}

/** A message between nodes. A later version of this package may send other types, which are ignored. */
interface Message extends DisconnectRequest {
  readonly v: 1
  readonly type: 'disconnect'
  /**
   * The node that sent the message. It has already disconnected its own clients, and ignores the message, since a
   * client may have reconnected.
   */
  readonly from: string
}

/** The nodes that share a store. Disconnects clients on all of them. */
export class Nodes {
  readonly #parts: Parts
  readonly #id = randomUUID()

  constructor (parts: Parts) {
    this.#parts = parts
    parts.peers?.listen(text => { this.#heard(text) })
  }

  /**
   * Disconnects clients: at once on this node, and on the others by a message.
   *
   * @throws STORE_UNAVAILABLE when the other nodes could not be notified
   */
  async disconnect (target: DisconnectRequest): Promise<void> {
    const { peers, gateway } = this.#parts
    gateway?.disconnect(target)
    if (peers === undefined) return
    const message: Message = { v: 1, type: 'disconnect', ...target, from: this.#id }
    try {
      await inTime(peers.tell(JSON.stringify(message)), STORE_PATIENCE)
    } catch (cause) {
      throw Object.assign(
        new errors.STORE_UNAVAILABLE(
          'this node has ended its own clients, and the other nodes could not be told: disconnect again when it is back'
        ),
        { cause }
      )
    }
  }

  #heard (text: string): void {
    const { gateway, logger } = this.#parts
    try {
      const message = parse(text)
      if (message === null) logger.debug('a message of another node was ignored: this version does not know it')
      else if (message.from !== this.#id) gateway?.disconnect(message)
    } catch (err) {
      logger.error({ err }, 'a disconnect that another node requested has failed')
    }
  }
}

/** Parses a message of {@link Nodes}; `null` for any other text. */
function parse (text: string): Message | null {
  const message = readJson(text) as Partial<Record<keyof Message, unknown>> | null
  if (typeof message !== 'object' || message === null) return null
  const { v, type, instance, keyHash } = message
  const isDisconnect = v === 1 && type === 'disconnect' && isText(instance) && isText(keyHash)
  // A message that names neither would disconnect every client.
  return isDisconnect && !(instance === undefined && keyHash === undefined) ? message as Message : null
}

const isText = (value: unknown): boolean => value === undefined || typeof value === 'string'

function readJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
