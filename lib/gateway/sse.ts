import type { LogEntry } from '../log/event-log.js'

/** Socket.IO's placeholder of a binary part. Quotes inside of a JSON text are escaped, so no other text matches. */
const PLACEHOLDER = /\{"_placeholder":true,"num":(\d+)\}/g

/**
 * Encodes a message as one line of JSON in UTF-8. Binary parts become `{"type":"Buffer","data":"…"}` with base64, so
 * that HTTP clients get a single text for each event.
 */
export function encodeMessage ({ id, rest, attachments }: LogEntry): Buffer {
  const beginning = Buffer.from(`{"id":"${id}"`)
  if (attachments.length === 0) return Buffer.concat([beginning, rest])
  const inlined = rest.toString().replace(PLACEHOLDER, (placeholder, number: string) =>
    JSON.stringify({ type: 'Buffer', data: attachments[Number(number)]?.toString('base64') ?? '' }))
  return Buffer.concat([beginning, Buffer.from(inlined)])
}

/**
 * Encodes an event as a server-sent event. JSON has no raw line breaks, and event names have none either; a line break
 * would start another field.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export function encodeEvent (entry: LogEntry): Buffer {
  return Buffer.concat([Buffer.from(head(entry.id, entry.event)), encodeMessage(entry), END])
}

/** Encodes `ws.ready` or `ws.position`. The id of the event is the `lastEventId` in its content. */
export function encodeNotice (name: string, content: { readonly lastEventId: string }): string {
  return `${head(content.lastEventId, name)}${JSON.stringify(content)}\n\n`
}

const END = Buffer.from('\n\n')
const BREAKS = /[\r\n\0]+/g

const head = (id: string, name: string): string =>
  `id: ${id.replace(BREAKS, ' ')}\nevent: ${name.replace(BREAKS, ' ')}\ndata: `

/** Delay before a client reconnects, in ms, plus a random part: clients are often disconnected at the same time. */
const RETRY = 1000
const SPREAD = 2000

/** The first bytes of a stream. */
export const opening = (): string => `retry: ${RETRY + Math.floor(Math.random() * SPREAD)}\n\n`

/** A comment line, which clients ignore. */
export const HEARTBEAT = ':\n\n'
