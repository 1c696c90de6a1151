import { errors } from '../errors.js'
import type { EmitOptions, Message } from '../types.js'
import type { EventType } from './catalogue.js'

/** What a message is made of. */
export interface MessageParts {
  readonly event: EventType
  readonly instance: string
  readonly data: unknown
  readonly serverUrl: string | null
  readonly options: EmitOptions
}

/** Stands in a message for the id, which the log gives. */
export const NO_ID = ''

/**
 * The one argument of every event, but for its id. Keys that every message has win over those of `options.extra`, and `apikey` is
 * there only if `options.apikey` is.
 *
 * @throws INVALID_DATA for a `dateTime` that is none
 */
export function buildMessage ({ event, instance, data, serverUrl, options }: MessageParts): Message {
  const { apikey, extra } = options
  const message: Message = {
    id: NO_ID,
    event: event.name,
    instance,
    data: data === undefined ? null : data,
    server_url: serverUrl,
    date_time: isoTime(options.dateTime),
    sender: options.sender ?? null,
    ...(apikey !== undefined && { apikey })
  }
  for (const [key, value] of Object.entries(extra ?? {})) {
    if (key === 'apikey' || Object.hasOwn(message, key)) continue
    // Not by assignment: a key `__proto__` is data like any other.
    Object.defineProperty(message, key, { value, enumerable: true })
  }
  return message
}

function isoTime (time: EmitOptions['dateTime']): string {
  if (time === undefined) return isoNow()
  const date = new Date(time)
  if (Number.isNaN(date.getTime())) throw new errors.INVALID_DATA('dateTime must be a Date, an ISO 8601 text, or milliseconds since 1970')
  return date.toISOString()
}

let lastNow = NaN
let lastText = ''

/** Many events come within a millisecond, and to write a date is a good part of what one costs. */
function isoNow (): string {
  const now = Date.now()
  if (now !== lastNow) {
    lastNow = now
    lastText = new Date(now).toISOString()
  }
  return lastText
}
