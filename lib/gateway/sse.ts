import type { LogEntry } from '../log/event-log.js'

/** What Socket.IO writes for a binary part. A quote inside of a text is escaped, so nothing else looks like it. */
const PLACEHOLDER = /\{"_placeholder":true,"num":(\d+)\}/g

/**
 * A message as JSON in UTF-8, on one line. Its binary parts are `{"type":"Buffer","data":"…"}`, in base64: HTTP clients
 * get one text for each event, and no frames beside it.
 */
export function encodeMessage ({ id, rest, attachments }: LogEntry): Buffer {
  const beginning = Buffer.from(`{"id":"${id}"`)
  if (attachments.length === 0) return Buffer.concat([beginning, rest])
  const inlined = rest.toString().replace(PLACEHOLDER, (placeholder, number: string) =>
    JSON.stringify({ type: 'Buffer', data: attachments[Number(number)]?.toString('base64') ?? '' }))
  return Buffer.concat([beginning, Buffer.from(inlined)])
}

/**
 * An event as a server sends it in a stream. JSON has no line breaks of its own; a name that had one would begin
 * another field.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export function encodeEvent (entry: LogEntry): Buffer {
  return Buffer.concat([Buffer.from(head(entry.id, entry.event)), encodeMessage(entry), END])
}

/** Something that the plugin itself tells a client: the id that it goes on from is the one that it is told. */
export function encodeNotice (name: string, content: { readonly lastEventId: string }): string {
  return `${head(content.lastEventId, name)}${JSON.stringify(content)}\n\n`
}

const END = Buffer.from('\n\n')
const BREAKS = /[\r\n\0]+/g

const head = (id: string, name: string): string =>
  `id: ${id.replace(BREAKS, ' ')}\nevent: ${name.replace(BREAKS, ' ')}\ndata: `

/** How long a client waits before it comes back, in ms: not the same for all, who are mostly cut off together. */
const RETRY = 1000
const SPREAD = 2000

/** What a stream begins with. */
export const opening = (): string => `retry: ${RETRY + Math.floor(Math.random() * SPREAD)}\n\n`

/** A comment, which no client looks at. */
export const HEARTBEAT = ':\n\n'
