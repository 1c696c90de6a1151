import type { HttpRequest } from './draw/http.js'
import { Claims } from './claims.js'
import { httpFault, readJson } from './judge.js'
import { bytesOf, textOf } from './parts.js'
import type { HttpAnswer } from './wire/http.js'

const SHOWN = 200
const STREAM = /^content-type: text\/event-stream/im
const STATE = /^\/monitor\/state(?:$|[?])/
const FIELD = /^(retry|id|event|data): (.*)$/

interface Told { readonly id?: unknown, readonly event?: unknown, readonly instance?: unknown, readonly lastEventId?: unknown, readonly recovered?: unknown }

const isObject = (value: unknown): value is Told => typeof value === 'object' && value !== null

/** The instance of a path; `null` for the root, `undefined` where the path is of none. */
function askedOf (path: string): string | null | undefined {
  const name = /^\/instance\/([^/?]*)\/events(?:$|[?])/.exec(path)?.[1]
  if (name === undefined) return /^\/events(?:$|[?])/.test(path) ? null : undefined
  try {
    return decodeURIComponent(name).normalize('NFC')
  } catch {
    return undefined
  }
}

/** The keys that a request has in its headers. A query of these routes takes none. */
function claimsOf ({ headers }: HttpRequest, marker: string): Claims {
  const claims = new Claims(marker)
  for (const [, value] of headers) claims.sent(bytesOf(value, ''))
  return claims
}

/** What is wrong with a message of a stream or a page; `undefined` when its client may be told of it. */
function messageFault (message: unknown, instance: string | null, claims: Claims, after: string): string | undefined {
  const shown = JSON.stringify(message)?.slice(0, SHOWN)
  if (!isObject(message) || typeof message.id !== 'string' || typeof message.event !== 'string' || typeof message.instance !== 'string') return `a message that is none: ${shown}`
  if (instance !== null && message.instance !== instance) return `an instance was told of an event of another one: ${shown}`
  if (!claims.mayHear(message.instance, message.event)) return `a client was told of an event that its keys do not open: ${shown}`
  return message.id > after ? undefined : `an event came after one that is newer (${after}): ${shown}`
}

/** Reads the body of a stream of server-sent events as it comes, and says what is wrong with it. */
export class StreamJudge {
  readonly #instance: string | null
  readonly #claims: Claims
  #rest = ''
  #lastId = ''
  #blocks = 0
  isReady = false

  constructor (request: HttpRequest, marker: string) {
    this.#instance = askedOf(textOf(request.url, '')) ?? null
    this.#claims = claimsOf(request, marker)
  }

  /** @returns the first fault in it */
  read (bytes: Buffer): string | undefined {
    // In latin1 no character is cut in two. What is compared is read as UTF-8.
    const blocks = `${this.#rest}${bytes.toString('latin1')}`.split('\n\n')
    this.#rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const fault = this.#block(Buffer.from(block, 'latin1').toString())
      if (fault !== undefined) return fault
    }
  }

  #block (block: string): string | undefined {
    const fault = `a stream that no client can read: ${JSON.stringify(block.slice(0, SHOWN))}`
    if (this.#blocks++ === 0) return /^retry: \d+$/.test(block) ? undefined : fault
    if (block === ':') return undefined
    const fields = block.split('\n').map(line => FIELD.exec(line))
    const [id, event, data] = fields.map(field => field?.[2])
    const names = fields.map(field => field?.[1]).join()
    const told = readJson(data ?? '')
    if (names !== 'id,event,data' || !isObject(told)) return fault
    return event === 'ws.ready' || event === 'ws.position' ? this.#notice(event, id, told) : this.#message(event, id, told)
  }

  #notice (event: string, id: string | undefined, told: Told): string | undefined {
    const shown = JSON.stringify(told).slice(0, SHOWN)
    if (told.lastEventId !== id) return `a notice with another id than its own: ${shown}`
    if (event === 'ws.ready') {
      if ((told.instance ?? null) !== this.#instance) return `the stream of another instance: ${shown}`
      this.isReady = true
    }
    // It goes on from there. What is replayed comes after the id that its client gave, whatever that was.
    this.#lastId = told.recovered === true ? this.#lastId : String(told.lastEventId)
  }

  #message (event: string | undefined, id: string | undefined, told: Told): string | undefined {
    const fault = messageFault(told, this.#instance, this.#claims, this.#lastId)
    if (fault !== undefined) return fault
    if (!this.isReady) return `an event before ws.ready: ${JSON.stringify(told).slice(0, SHOWN)}`
    if (told.id !== id || told.event !== event) return `a message of another name or id: ${JSON.stringify(told).slice(0, SHOWN)}`
    this.#lastId = id ?? ''
  }
}

/** Whether an answer is a stream, which is judged as it comes. */
export const isStream = (status: number, head: string): boolean => status === 200 && STREAM.test(head)

function pageFault (body: Buffer, request: HttpRequest, marker: string): string | undefined {
  const page = readJson(body.toString()) as { recovered?: unknown, events?: unknown, lastEventId?: unknown, more?: unknown } | undefined
  const shown = body.toString('utf8', 0, SHOWN)
  if (page === undefined || !Array.isArray(page.events) || typeof page.lastEventId !== 'string' || typeof page.more !== 'boolean') return `a page that is none: ${shown}`
  if (page.recovered !== true && (page.events.length > 0 || page.more)) return `a page with events and a gap: ${shown}`
  const instance = askedOf(textOf(request.url, '')) ?? null
  const claims = claimsOf(request, marker)
  let after = ''
  for (const message of page.events as unknown[]) {
    const fault = messageFault(message, instance, claims, after)
    if (fault !== undefined) return fault
    after = String((message as Told).id)
  }
  return after > page.lastEventId ? `a page that ends before its last event: ${shown}` : undefined
}

function stateFault (body: Buffer, request: HttpRequest, marker: string): string | undefined {
  const state = readJson(body.toString()) as { events?: string[], instances?: Array<{ instance: string }>, root?: { clients: number } } | undefined
  const shown = body.toString('utf8', 0, SHOWN)
  if (state === undefined || !Array.isArray(state.instances) || !Array.isArray(state.events)) return `a state that is none: ${shown}`
  const claims = claimsOf(request, marker)
  const foreign = state.instances.find(({ instance }) => !claims.opens(instance))
  if (foreign !== undefined) return `the monitor told of an instance that its keys do not open: ${JSON.stringify(foreign)}`
  const event = state.events.find(name => !claims.mayKnow(name))
  if (event !== undefined) return `the monitor told of an event that its keys do not open: ${event}`
  return state.root !== undefined && state.root.clients > 0 && !claims.opensAll ? `the monitor told of clients at the root: ${shown}` : undefined
}

/** What is wrong with the answer to a request for a page of events, or to the monitor; `undefined` when it may be so. */
export function eventsFault (request: HttpRequest, answer: HttpAnswer, marker: string): string | undefined {
  const path = textOf(request.url, '')
  const fault = httpFault(request, answer, marker)
  if (fault !== undefined || answer.status !== 200 || request.method !== 'GET') return fault
  if (STATE.test(path)) return stateFault(answer.body, request, marker)
  if (path.startsWith('/monitor')) return undefined
  const instance = askedOf(path)
  if (instance === undefined) return `something was answered that is not there: ${path.slice(0, SHOWN)}`
  if (instance !== null && !claimsOf(request, marker).opens(instance)) return `a client came in without a key that opens it: ${path.slice(0, SHOWN)}`
  return isStream(answer.status, answer.head) ? undefined : pageFault(answer.body, request, marker)
}
