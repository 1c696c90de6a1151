import type { EmitResult } from '../types.js'

/** What each channel tells, by its name. */
export interface DiagnosticsMessages {
  /** A client was admitted. */
  'fastify-ws-events:connect': {
    /** `null` at the root. */
    instance: string | null
    /** The client's address, as `trustProxy` resolves it; `null` where there is none (a Unix socket). */
    address: string | null
  }
  /** A client was refused, or disconnected because of what it sends or because its key is not valid any more. */
  'fastify-ws-events:refuse': {
    /** As the refusal that the client gets: `FST_ERR_WS_EVENTS_…`. */
    code: string
    /** What it asked for: `null` is the root; an excerpt of what is no name of an instance. */
    instance: string | null
    /** The client's address; `null` where there is none. */
    address: string | null
  }
  /** A client that had been admitted is gone. */
  'fastify-ws-events:disconnect': {
    /** `null` at the root. */
    instance: string | null
    /** The client's address; `null` where there is none. */
    address: string | null
    /** Socket.IO's, such as `transport close`, or why the server closed the session, such as `removed`. */
    reason: string
  }
  /** A connection is ended because too much waits for it. */
  'fastify-ws-events:slow': {
    /** Of the namespaces that it is in; `null` is the root. */
    instances: Array<string | null>
    /** The client's address; `null` where there is none. */
    address: string | null
    /** Bytes that wait for it. */
    queuedBytes: number
  }
}

/**
 * What the channels of an `emit` tell: `tracing:fastify-ws-events:emit:start`, `end`, `asyncStart`, `asyncEnd` and
 * `error`, as of Node's `TracingChannel`. One object for the whole of a call.
 */
export interface EmitTrace {
  /** As the caller gave it, if that was a text, and no more than its beginning. */
  instance: string
  /** The event's name, in the same way. */
  event: string
  /** Of a call that was accepted, from `asyncStart` on. */
  result?: EmitResult
  /** Of one that was rejected, from `error` on. */
  error?: unknown
}
