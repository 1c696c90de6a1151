import { type ErrorName, errors } from '../errors.js'

/**
 * What the server does to the client when its session closes.
 *
 * - `nothing`: the client has disconnected already, or has everything that it requested.
 * - `disconnect`: only the session is ended. A stock client reconnects when its application calls `connect()`.
 * - `reconnect`: the connection is ended, with all its sessions. A stock client reconnects by itself.
 */
export type Ending = 'nothing' | 'disconnect' | 'reconnect'

export interface Reason {
  readonly ending: Ending
  /** The error code with which a session is refused that closes for this reason before it is open. */
  readonly refusal: ErrorName
  /** The log line for this reason. For every open session `client disconnected` is logged as well, at `debug`. */
  readonly line: Line | null
}

interface Line {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
}

const line = (level: Line['level'], message: string): Line => ({ level, message })

/** All reasons why a session closes. docs/architecture.md has the same table; a test compares them. */
export const REASONS = {
  /** The client left, its connection was lost, or its response is complete. */
  left: { ending: 'nothing', refusal: 'CLOSED', line: null },
  /** The same client joined the same namespace again. */
  replaced: { ending: 'nothing', refusal: 'CLOSED', line: null },
  /** The client was refused. Its error has the reason. */
  refused: { ending: 'nothing', refusal: 'FORBIDDEN', line: null },
  /** A page of history was sent completely. */
  complete: { ending: 'nothing', refusal: 'CLOSED', line: null },
  /** The instance was removed, on this node or another one. */
  removed: { ending: 'disconnect', refusal: 'NOT_SET', line: null },
  /** The config of the instance has `enabled: false`, and `evolution` is off. */
  disabled: { ending: 'disconnect', refusal: 'INSTANCE_DISABLED', line: null },
  /** The application called `disconnect`. */
  kicked: { ending: 'disconnect', refusal: 'FORBIDDEN', line: null },
  /** Re-authorization: the key no longer grants access. */
  revoked: {
    ending: 'disconnect',
    refusal: 'FORBIDDEN',
    line: line('info', 'API key revoked: client disconnected')
  },
  /** Re-authorization failed: `verify` threw or took too long. */
  unverified: {
    ending: 'reconnect',
    refusal: 'VERIFY_FAILED',
    line: line('info', 'API key could not be checked again: connection closed, the client reconnects')
  },
  /** Too many bytes are queued for the connection, or for all together (`limits`), or the client reads none of them. */
  slow: {
    ending: 'reconnect',
    refusal: 'LIMIT_REACHED',
    line: line('warn', 'slow consumer disconnected: the client reconnects')
  },
  /** A listener of the application threw while an event was written. */
  writeFailed: {
    ending: 'reconnect',
    refusal: 'CLOSED',
    line: line('error', 'event could not be written: connection closed, the client reconnects')
  },
  /** The client exceeded `limits.inboundPerSecond`. */
  tooManyMessages: {
    ending: 'reconnect',
    refusal: 'LIMIT_REACHED',
    line: line('info', 'client sends more than limits.inboundPerSecond: connection closed')
  },
  /** The history was dropped while it was being replayed, or a stock client is affected by a gap. */
  historyLost: {
    ending: 'reconnect',
    refusal: 'STORE_UNAVAILABLE',
    line: line('info', 'history was dropped or lost: connection closed, the client reconnects')
  },
  /** The store failed while history was being read. */
  historyUnreadable: {
    ending: 'reconnect',
    refusal: 'STORE_UNAVAILABLE',
    line: line('error', 'history could not be read: connection closed, the client reconnects')
  },
  /** The server is shutting down. */
  closing: { ending: 'reconnect', refusal: 'CLOSED', line: null }
} as const satisfies Record<string, Reason>

export type ReasonName = keyof typeof REASONS

/** Details of why a session closes, for the log. */
export interface CloseDetail {
  /** Socket.IO's disconnect reason, if there is one. */
  readonly word?: string
  readonly err?: unknown
  /** The name of a coded error. */
  readonly code?: string
}

/** The coded error for a client whose session closed before it was open. */
export function refusalFor (reason: ReasonName, instance: string | null): Error {
  const name = instance ?? ''
  switch (REASONS[reason].refusal) {
    case 'NOT_SET': return new errors.NOT_SET(name, encodeURIComponent(name))
    case 'INSTANCE_DISABLED': return new errors.INSTANCE_DISABLED(name, encodeURIComponent(name))
    case 'FORBIDDEN': return new errors.FORBIDDEN('this namespace any more')
    case 'STORE_UNAVAILABLE': return new errors.STORE_UNAVAILABLE('try again in a moment')
    case 'VERIFY_FAILED': return new errors.VERIFY_FAILED()
    case 'LIMIT_REACHED': return new errors.LIMIT_REACHED(reason)
    case 'CLOSED': return new errors.CLOSED()
  }
}
