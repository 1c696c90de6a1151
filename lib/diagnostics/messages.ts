import type { EmitResult } from '../types.js'

/** The messages of each channel, by the channel's name. */
export interface DiagnosticsMessages {
  /** A client was admitted. */
  'fastify-ws-events:connect': {
    /** The name of the instance; `null` at the root. */
    instance: string | null
    /** The client's address, as `trustProxy` resolves it; `null` where there is none (a Unix socket). */
    address: string | null
  }
  /** A client was refused, or disconnected because of its messages or because its key has become invalid. */
  'fastify-ws-events:refuse': {
    /** The error code that the client gets: `FST_ERR_WS_EVENTS_…`. */
    code: string
    /** The instance that the client requested; `null` for the root; an excerpt of an invalid name. */
    instance: string | null
    /** The client's address; `null` if there is none. */
    address: string | null
  }
  /** A client has disconnected or was disconnected. */
  'fastify-ws-events:disconnect': {
    /** The name of the instance; `null` at the root. */
    instance: string | null
    /** The client's address; `null` if there is none. */
    address: string | null
    /**
     * Socket.IO's reason, such as `transport close`, or the reason why the server closed the session, such as
     * `removed`.
     */
    reason: string
  }
  /** A connection is ended because too many bytes are queued for it. */
  'fastify-ws-events:slow': {
    /** The instances of its namespaces; `null` is the root. */
    instances: Array<string | null>
    /** The client's address; `null` if there is none. */
    address: string | null
    /** Bytes that are queued for the connection. */
    queuedBytes: number
  }
}

/**
 * The message of the channels of an `emit`: `tracing:fastify-ws-events:emit:start`, `end`, `asyncStart`, `asyncEnd` and
 * `error`, as for Node's `TracingChannel`. One call of `emit` uses the same object for all of them.
 */
export interface EmitTrace {
  /** The instance that the caller gave, shortened; for a value that is not a string, its type. */
  instance: string
  /** The event's name that the caller gave, in the same form. */
  event: string
  /** The result of an accepted call, from `asyncStart` on. */
  result?: EmitResult
  /** The error of a rejected call, from `error` on. */
  error?: unknown
}
