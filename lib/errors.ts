import { createError } from '@fastify/error'
import { RENAMED, withFormerNames } from './plugin/renamed.js'

/** The prefix of every error code of this package. */
export const CODE_PREFIX = 'FST_ERR_WS_EVENTS_'

const coded = (name: string, message: string, statusCode: number) =>
  createError(`${CODE_PREFIX}${name}`, message, statusCode)

/**
 * Every error of this package, by its code without the prefix. Each is a class made with `@fastify/error`, so an error
 * has `code`, `statusCode` and `message`; compare with `instanceof` or by `code`. `docs/errors.md` lists them.
 */
export const errors = withFormerNames('errors', {
  /**
   * Registration
   */
  INVALID_OPTION: coded('INVALID_OPTION', '%s', 500),
  STORE_OPEN: coded('STORE_OPEN', 'the store %s cannot be opened: %s', 500),
  DUPLICATE: coded(
    'DUPLICATE',
    'fastify-ws-events is registered already on this server: register it once, on the root instance, and use fastify.wsEvents everywhere below',
    500
  ),

  /** Authentication and limits */
  UNAUTHORIZED: coded(
    'UNAUTHORIZED',
    'a key is needed: give it as auth.apikey or the query apikey (clients), or in the header apikey or Authorization: Bearer',
    401
  ),
  FORBIDDEN: coded('FORBIDDEN', 'the key does not grant access to %s', 403),
  ORIGIN_NOT_ALLOWED: coded(
    'ORIGIN_NOT_ALLOWED',
    'pages from the origin "%s" may not connect: list it in the option cors',
    403
  ),
  VERIFY_FAILED: coded('VERIFY_FAILED', 'the key could not be checked just now: try again', 503),
  LIMIT_REACHED: coded('LIMIT_REACHED', 'the limit %s is reached', 429),

  /**
   * Instances and namespaces
   */
  GLOBAL_DISABLED: coded(
    'GLOBAL_DISABLED',
    'the root namespace serves no events in traditional mode: connect to /INSTANCE, or start the service with WEBSOCKET_GLOBAL_EVENTS=true',
    404
  ),
  NOT_SET: coded(
    'NOT_SET',
    'the instance "%s" was never set: PUT /instance/%s/websocket with {"enabled":true} first',
    404
  ),
  INSTANCE_DISABLED: coded(
    'INSTANCE_DISABLED',
    'the events of instance "%s" are disabled: PUT /instance/%s/websocket with {"enabled":true}',
    403
  ),
  INSTANCE_UNKNOWN: coded('INSTANCE_UNKNOWN', 'there is no instance "%s"', 404),
  HOST_NAMESPACE: coded(
    'HOST_NAMESPACE',
    'the namespace /%s was made by the application itself: give the instance another name',
    409
  ),
  ALREADY_JOINED: coded(
    'ALREADY_JOINED',
    'this connection is in the instance "%s" already, or joining it, as %s: leave that first, or use the same spelling',
    409
  ),
  INVALID_NAME: coded('INVALID_NAME', 'the instance name %s %s', 400),

  /**
   * Events, filters and data
   */
  INVALID_FILTER: coded('INVALID_FILTER', 'the filter %s', 400),
  UNKNOWN_EVENT: coded('UNKNOWN_EVENT', 'unknown event "%s": %s', 400),
  INVALID_DATA: coded('INVALID_DATA', '%s', 400),
  NOT_SERIALIZABLE: coded('NOT_SERIALIZABLE', 'the data of "%s" cannot be sent: %s', 400),
  IDEMPOTENCY_KEY_REUSED: coded(
    'IDEMPOTENCY_KEY_REUSED',
    'the Idempotency-Key was used within the last hour with another body: use a new key for each request',
    422
  ),
  MESSAGE_TOO_LARGE: coded(
    'MESSAGE_TOO_LARGE',
    'the message of "%s" has %s bytes, and %s: send a link to the data instead',
    413
  ),

  /** Handlers of messages from clients */
  HANDLER_FAILED: coded('HANDLER_FAILED', 'the handler of "%s" failed', 500),
  HANDLER_TIMEOUT: coded('HANDLER_TIMEOUT', 'the handler of "%s" took longer than %s ms', 504),

  /**
   * The service
   */
  DISABLED: coded('DISABLED', 'WebSocket events are disabled on this server (WEBSOCKET_ENABLED)', 503),
  STORE_UNAVAILABLE: coded('STORE_UNAVAILABLE', 'the store is not available: %s', 503),
  PENDING_FULL: coded(
    'PENDING_FULL',
    'the store is unavailable, and its queue is full (limits.pendingEvents, limits.pendingBytes): emit again when the store is available',
    503
  ),
  CLOSED: coded('CLOSED', 'the server is shutting down', 503)
} as const, RENAMED.errors)

/** An error code without its prefix. */
export type ErrorName = keyof typeof errors
/** An error of this package. */
export type CodedError = InstanceType<(typeof errors)[ErrorName]>

const names = new Map(Object.keys(errors).map(name => [`${CODE_PREFIX}${name}`, name as ErrorName]))

/** The message of a thrown value, in one line. The value need not be an error. */
export function reasonOf (thrown: unknown): string {
  if (thrown instanceof RangeError) return 'it is circular or too deep'
  if (thrown instanceof Error) return String(thrown.message).split('\n', 1)[0] ?? ''
  return typeof thrown === 'string' ? thrown : `a value was thrown that is no error (${typeof thrown})`
}

/**
 * Wraps the error of reading a value that the application gave: one of its getters, proxies or conversions threw.
 *
 * @param what name of the value, for the message
 * @param thrown the error; an error of this package is returned unchanged
 */
export function unreadable (
  what: string,
  thrown: unknown,
  Coded: typeof errors.INVALID_DATA = errors.INVALID_DATA
): Error {
  return errorName(thrown) === undefined
    ? Object.assign(new Coded(`${what} cannot be read: ${reasonOf(thrown)}`), { cause: thrown })
    : thrown as Error
}

/** The name of a coded error of this package, or `undefined` for any other value. */
export function errorName (error: unknown): ErrorName | undefined {
  return error instanceof Error && 'code' in error ? names.get(String(error.code)) : undefined
}
