import type { FastifyBaseLogger } from 'fastify'
import { connectChannel, disconnectChannel, refuseChannel, slowChannel } from '../diagnostics/channels.js'
import type { DiagnosticsMessages as Messages } from '../diagnostics/messages.js'
import { CODE_PREFIX, type ErrorName } from '../errors.js'
import type { Connection } from './connection.js'
import { type CloseDetail, REASONS, type ReasonName } from './reasons.js'
import type { Session } from './session.js'

interface Refused {
  readonly name: ErrorName
  /** The instance that the client requested. */
  readonly instance: string | null
  readonly address: string | null
}

const FAST_PATH_OFF = 'the fast path is off: every event is written by Socket.IO, ' +
  'which takes several times the CPU where many clients get it'
const ROOT_HINT = 'a client joined the root, which gets no events in traditional mode: ' +
  'it must connect to /INSTANCE, or set WEBSOCKET_GLOBAL_EVENTS=true'

/**
 * Logs the connecting, refusal and disconnecting of clients, one line each, without anything that clients sent, and
 * publishes the same on diagnostics channels. docs/metrics.md lists the lines.
 */
export class Telemetry {
  /** Number of sessions that were opened. */
  admitted = 0
  readonly #log: FastifyBaseLogger
  #rootHinted = false
  /** Whether the log already has the line that the fast path is off. */
  isFastPathOff = false

  constructor (log: FastifyBaseLogger) {
    this.#log = log
  }

  connected ({ instance, connection: { address } }: Session): void {
    this.admitted++
    this.#log.debug({ instance, address }, 'client connected')
    if (connectChannel.hasSubscribers) {
      connectChannel.publish({ instance, address } satisfies Messages['fastify-ws-events:connect'])
    }
  }

  /** Logged for the first client only: all Python clients join the root by default. */
  atSilentRoot ({ instance, connection: { address } }: Session): void {
    if (this.#rootHinted) return
    this.#rootHinted = true
    this.#log.warn({ instance, address }, ROOT_HINT)
  }

  /**
   * Logged once, at the start or for the first affected client.
   *
   * @param why the reason as a text
   */
  fastPathOff (why: string): void {
    if (this.isFastPathOff) return
    this.isFastPathOff = true
    this.#log.warn({ why }, FAST_PATH_OFF)
  }

  /** Called once. */
  stockResumeOff (): void {
    const why = 'the CONNECT packet of this version of Socket.IO is not supported'
    this.#log.warn({ why }, 'the option stockResume has no effect: clients are given no pid')
  }

  /** An open session has closed. */
  closed ({ instance, connection: { address } }: Session, name: ReasonName, { word, err, code }: CloseDetail): void {
    const reason = word ?? name
    const { line } = REASONS[name]
    // A reason that ends a whole connection is logged once for the connection, not for each session.
    if (line !== null && (err !== undefined || code !== undefined || name === 'historyLost')) {
      const coded = code === undefined ? null : { code: `${CODE_PREFIX}${code}` }
      this.#log[line.level]({ ...(err !== undefined && { err }), ...coded, instance, address }, line.message)
      if (coded !== null) this.#publishRefusal({ ...coded, instance, address })
    }
    this.#log.debug({ instance, address, reason }, 'client disconnected')
    if (disconnectChannel.hasSubscribers) {
      disconnectChannel.publish({ instance, address, reason } satisfies Messages['fastify-ws-events:disconnect'])
    }
  }

  refused ({ name, instance, address }: Refused): void {
    const refusal = { code: `${CODE_PREFIX}${name}`, instance, address }
    this.#log.info(refusal, 'client refused')
    this.#publishRefusal(refusal)
  }

  /** @param err an error without a code: a fault of the server, not of the client */
  uncheckable ({ name, instance, address }: Refused, err: unknown): void {
    const refusal = { code: `${CODE_PREFIX}${name}`, instance, address }
    this.#log.error({ err, ...refusal }, 'client could not be checked')
    this.#publishRefusal(refusal)
  }

  #publishRefusal (refusal: Messages['fastify-ws-events:refuse']): void {
    if (refuseChannel.hasSubscribers) refuseChannel.publish(refusal)
  }

  slow (connection: Connection, queuedBytes: number): void {
    const { address } = connection
    const instances = instancesOf(connection)
    this.#log.warn({ instances, address, queuedBytes }, REASONS.slow.line.message)
    if (slowChannel.hasSubscribers) {
      slowChannel.publish({ instances, address, queuedBytes } satisfies Messages['fastify-ws-events:slow'])
    }
  }

  tooManyMessages (instance: string | null, address: string | null): void {
    const refusal = { code: `${CODE_PREFIX}LIMIT_REACHED`, instance, address }
    this.#log.info(refusal, REASONS.tooManyMessages.line.message)
    this.#publishRefusal(refusal)
  }

  /** A listener of the application has thrown while an event was being written. */
  writeFailed (err: unknown, connection: Connection): void {
    const { address } = connection
    this.#log.error({ err, instances: instancesOf(connection), address }, REASONS.writeFailed.line.message)
  }

  /** A listener of the application has thrown while the server was handling a client. */
  listenerFailed (err: unknown, instance: string | null | undefined, address: string | null): void {
    this.#log.error({ err, instance, address }, 'a listener of the application has failed')
  }
}

/** The instances of a connection's sessions. Most connections have one session. */
const instancesOf = ({ sessions }: Connection): Array<string | null> => sessions.map(({ instance }) => instance)
