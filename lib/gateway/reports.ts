import type { FastifyBaseLogger } from 'fastify'
import type { Socket } from 'socket.io'
import { connectChannel, disconnectChannel, refuseChannel, slowChannel } from '../diagnostics/channels.js'
import type { DiagnosticsMessages } from '../diagnostics/messages.js'
import { CODE_PREFIX, type ErrorName } from '../errors.js'
import { excerpt } from '../names.js'
import { targetOf } from './admission.js'
import type { Link } from './link.js'
import type { Subscriber } from './subscriber.js'

/** Whose line it is. */
export type Who = Pick<Subscriber, 'instance' | 'link'>

interface Refused {
  readonly name: ErrorName
  /** What it asked for, see {@link askedOf}. */
  readonly instance: string | null
  readonly address: string | null
}

/** `client refused`, and what else makes a client go that is not to be, with what the line says. */
const GONE = {
  refused: 'client refused',
  lostRight: 'a key has lost its right: its client is sent away',
  uncheckable: 'a key could not be checked again: its connection is ended, and its client will come back',
  tooFast: 'a client sends more than limits.inboundPerSecond: its connection is ended'
} as const

/**
 * Tells of clients as they come and go: one line of the log for each, without anything that they sent, and a message
 * for who listens on a diagnostics channel. docs/metrics.md lists the lines.
 */
export class Reports {
  readonly #log: FastifyBaseLogger
  #rootHinted = false
  #isSlowWayTold = false

  constructor (log: FastifyBaseLogger) {
    this.#log = log
  }

  connected ({ instance, link: { address } }: Who): void {
    this.#log.debug({ instance, address }, 'client connected')
    if (connectChannel.hasSubscribers) connectChannel.publish({ instance, address } satisfies DiagnosticsMessages['fastify-ws-events:connect'])
  }

  /** Said of the first one alone: Python clients join the root unasked. */
  atSilentRoot ({ instance, link: { address } }: Who): void {
    if (this.#rootHinted) return
    this.#rootHinted = true
    this.#log.warn({ instance, address }, 'a client joined the root, which gets no events in traditional mode: it must connect to /INSTANCE, or set WEBSOCKET_GLOBAL_EVENTS=true')
  }

  /**
   * Said once, at the start or by the first client where it shows.
   *
   * @param why in words
   */
  fastPathOff (why: string): void {
    if (this.#isSlowWayTold) return
    this.#isSlowWayTold = true
    this.#log.warn({ why }, 'the fast path is off: every event is written by Socket.IO, which takes several times the CPU where many clients get it')
  }

  get isFastPathOff (): boolean {
    return this.#isSlowWayTold
  }

  /** @param reason Socket.IO's */
  disconnected ({ instance, link: { address } }: Who, reason: string): void {
    this.#log.debug({ instance, address, reason }, 'client disconnected')
    if (disconnectChannel.hasSubscribers) disconnectChannel.publish({ instance, address, reason } satisfies DiagnosticsMessages['fastify-ws-events:disconnect'])
  }

  refused ({ name, instance, address }: Refused, how: keyof typeof GONE = 'refused'): void {
    const refusal = { code: `${CODE_PREFIX}${name}`, instance, address }
    this.#log.info(refusal, GONE[how])
    this.#tellRefusal(refusal)
  }

  /** @param err that is none of ours: a fault, and not the client's */
  uncheckable ({ name, instance, address }: Refused, err: unknown): void {
    const refusal = { code: `${CODE_PREFIX}${name}`, instance, address }
    this.#log.error({ err, ...refusal }, 'a client could not be checked')
    this.#tellRefusal(refusal)
  }

  #tellRefusal (refusal: DiagnosticsMessages['fastify-ws-events:refuse']): void {
    if (refuseChannel.hasSubscribers) refuseChannel.publish(refusal)
  }

  slow ({ address, subscribers }: Link, queuedBytes: number): void {
    const instances = subscribers.map(({ instance }) => instance)
    this.#log.warn({ instances, address, queuedBytes }, 'a client reads too slowly: its connection is ended, and it will come back')
    if (slowChannel.hasSubscribers) slowChannel.publish({ instances, address, queuedBytes } satisfies DiagnosticsMessages['fastify-ws-events:slow'])
  }

  /** A listener of the host's has thrown, when it heard of what we write to a client. */
  unwritable (err: unknown, link: Link): void {
    this.#log.error({ err, ...shown(link) }, 'a client could not be written to: its connection is ended, and it will come back')
  }

  /**
   * A listener of the host's has thrown, when it heard of what we do with a client.
   *
   * @param who as it was before: the client may be gone by now
   */
  listenerFailed (err: unknown, { instance, link: { address } }: Pick<Subscriber, 'link'> & { readonly instance: string | null | undefined }): void {
    this.#log.error({ err, instance, address }, 'a listener of the application has failed')
  }
}

/** A connection, by the first of the namespaces that it is in. It is nearly always in one. */
const shown = ({ address, subscribers: [first] }: Link): { instance?: string | null, address: string | null } =>
  first === undefined ? { address } : { instance: first.instance, address }

/** What a client asks for: an instance, `null` for the root, or an excerpt of what is neither. */
export function askedOf ({ nsp: { name } }: Socket): string | null {
  try {
    return targetOf(name)
  } catch {
    // It may have put a key behind it.
    return excerpt((name.split('?', 1)[0] ?? '').slice(1))
  }
}
