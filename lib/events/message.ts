import { errors, unreadable } from '../errors.js'
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

/** A message without its id, which the log gives. */
export type MessageContent = Omit<Message, 'id'>

/**
 * The one argument of every event, but for its id. Keys that every message has win over those of `options.extra`, and
 * `apikey` is there only if `options.apikey` is.
 *
 * @throws INVALID_DATA for a `dateTime` that is none, an `extra` that is no object, and for options that cannot be read
 */
export function buildMessage (parts: MessageParts): MessageContent {
  try {
    return build(parts)
  } catch (thrown) {
    throw unreadable('the options of emit', thrown)
  }
}

function build ({ event, instance, data, serverUrl, options }: MessageParts): MessageContent {
  const { apikey, extra } = options
  const message: MessageContent = {
    event: event.name,
    instance,
    data: data === undefined ? null : data,
    server_url: serverUrl,
    date_time: isoTime(options.dateTime),
    sender: options.sender ?? null
  }
  if (apikey !== undefined) message.apikey = apikey
  if (extra !== undefined && extra !== null) addExtra(message, extra)
  return message
}

function addExtra (message: MessageContent, extra: unknown): void {
  for (const [key, value] of Object.entries(extraKeys(extra))) {
    if (key === 'id' || key === 'apikey' || Object.hasOwn(message, key)) continue
    // JSON says nothing of it, and a `toJSON` would be asked what the whole message is.
    if (typeof value === 'function') continue
    // Not by assignment: a key `__proto__` is data like any other.
    Object.defineProperty(message, key, { value, enumerable: true })
  }
}

/** A text or a list has a key for each of its parts, and there may be millions. */
function extraKeys (extra: unknown): object {
  if (typeof extra === 'object' && extra !== null && !Array.isArray(extra) && !ArrayBuffer.isView(extra)) return extra
  throw new errors.INVALID_DATA('extra must be an object with the keys that are to be added to the message')
}

function isoTime (time: EmitOptions['dateTime']): string {
  if (time === undefined) return isoNow()
  const date = new Date(time)
  if (Number.isNaN(date.getTime())) {
    throw new errors.INVALID_DATA('dateTime must be a Date, an ISO 8601 text, or milliseconds since 1970')
  }
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
