import type { FastifyBaseLogger } from 'fastify'
import { randomUUID } from 'node:crypto'
import { errors } from '../errors.js'
import { inTime, STORE_PATIENCE } from '../host/in-time.js'
import type { Peers } from '../stores/store.js'

/** Whose clients are to go. */
export interface Dismissal {
  /** By its name. */
  readonly instance?: string | undefined
  /** SHA-256 of a key, in base64. */
  readonly keyHash?: string | undefined
}

/** Of the gateway: it imports this module's types. */
interface Disconnecting {
  disconnect(target: Dismissal): void
}

interface Parts {
  /** `undefined`: this node has the store for itself. */
  readonly peers: Peers | undefined
  /** The clients of this node; `null` in disabled mode. */
  readonly gateway: Disconnecting | null
  readonly logger: FastifyBaseLogger
}

/** As nodes tell each other. A later version of this package may send other types. */
interface Message extends Dismissal {
  readonly v: 1
  readonly type: 'disconnect'
  /** The node that sends it: it has done so itself, and who has come back since then stays. */
  readonly from: string
}

/** The nodes that share a store: what is done on one of them is done on all. */
export class Nodes {
  readonly #parts: Parts
  readonly #id = randomUUID()

  constructor (parts: Parts) {
    this.#parts = parts
    parts.peers?.listen(text => { this.#heard(text) })
  }

  /**
   * Ends clients, at once on this node.
   *
   * @throws STORE_UNAVAILABLE when the others could not be told
   */
  async disconnect (target: Dismissal): Promise<void> {
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
      logger.error({ err }, 'what another node asked for has failed')
    }
  }
}

/** A message that was sent by {@link Nodes}; `null` for any other text. */
function parse (text: string): Message | null {
  const message = readJson(text) as Partial<Record<keyof Message, unknown>> | null
  if (typeof message !== 'object' || message === null) return null
  const { v, type, instance, keyHash } = message
  const isDisconnect = v === 1 && type === 'disconnect' && isText(instance) && isText(keyHash)
  // It would be everybody.
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
