import { type ErrorName, errors } from '../errors.js'

/**
 * What the server does to the client of a session that closes.
 *
 * - `nothing`: the client is gone already, or has what it asked for.
 * - `disconnect`: the session alone is ended, and a stock client stays away until it is told to connect.
 * - `reconnect`: the connection is ended, with all its sessions, and a stock client comes back by itself.
 */
export type Ending = 'nothing' | 'disconnect' | 'reconnect'

export interface Reason {
  readonly ending: Ending
  /** The code that refuses a session that closes for this reason before it is open. */
  readonly refusal: ErrorName
  /** The line of the log that says why. Every session that was open also has a `client disconnected`, at `debug`. */
  readonly line: Line | null
}

interface Line {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
}

const line = (level: Line['level'], message: string): Line => ({ level, message })

/** Why a session closes: every reason there is. docs/architecture.md has the same table, compared by a test. */
export const REASONS = {
  /** The client left, its connection was lost, or its response is complete. */
  left: { ending: 'nothing', refusal: 'CLOSED', line: null },
  /** The same client joined the same namespace again. */
  replaced: { ending: 'nothing', refusal: 'CLOSED', line: null },
  /** It was not let in. The error says why. */
  refused: { ending: 'nothing', refusal: 'FORBIDDEN', line: null },
  /** A page of history was sent whole. */
  complete: { ending: 'nothing', refusal: 'CLOSED', line: null },
  /** The instance was removed, on this node or another one. */
  removed: { ending: 'disconnect', refusal: 'NOT_SET', line: null },
  /** The config of the instance has `enabled: false`, and `evolution` is off. */
  disabled: { ending: 'disconnect', refusal: 'INSTANCE_DISABLED', line: null },
  /** The application called `disconnect`. */
  kicked: { ending: 'disconnect', refusal: 'FORBIDDEN', line: null },
  /** Re-authorization says that the key does not grant access any more. */
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
  /** More bytes wait for its connection, or for all together, than `limits` allow, or it takes nothing of them. */
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
  /** It sent more messages than `limits.inboundPerSecond`. */
  tooManyMessages: {
    ending: 'reconnect',
    refusal: 'LIMIT_REACHED',
    line: line('info', 'client sends more than limits.inboundPerSecond: connection closed')
  },
  /** Its history was dropped while it was replayed, or it is a stock client and the store has lost events. */
  historyLost: {
    ending: 'reconnect',
    refusal: 'STORE_UNAVAILABLE',
    line: line('info', 'history was dropped or lost: connection closed, the client reconnects')
  },
  /** The store failed while history was read. */
  historyUnreadable: {
    ending: 'reconnect',
    refusal: 'STORE_UNAVAILABLE',
    line: line('error', 'history could not be read: connection closed, the client reconnects')
  },
  /** The server shuts down. */
  closing: { ending: 'reconnect', refusal: 'CLOSED', line: null }
} as const satisfies Record<string, Reason>

export type ReasonName = keyof typeof REASONS

/** More of why a session closes. */
export interface CloseDetail {
  /** Socket.IO's word for it, where it has one. */
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
    case 'FORBIDDEN': return new errors.FORBIDDEN('this any more')
    case 'STORE_UNAVAILABLE': return new errors.STORE_UNAVAILABLE('come back in a moment')
    case 'VERIFY_FAILED': return new errors.VERIFY_FAILED()
    case 'LIMIT_REACHED': return new errors.LIMIT_REACHED(reason)
    case 'CLOSED': return new errors.CLOSED()
  }
}
