import { CODE_PREFIX, errors } from '../../lib/errors.js'
import type { HttpRequest } from './draw/http.js'
import { keyOf, opensAnything } from './keys.js'
import { bytesOf, textOf } from './parts.js'
import type { HttpAnswer } from './wire/http.js'

const CODES = new Set(Object.keys(errors).map(name => CODE_PREFIX + name))
/** What a route may be unavailable for. */
const UNAVAILABLE = new Set(['VERIFY_FAILED', 'STORE_UNAVAILABLE', 'PENDING_FULL', 'CLOSED', 'DISABLED'].map(name => CODE_PREFIX + name))
/** Answers without a code: Fastify's own (no such route, and what is no request), to upgrades of other paths, to who takes neither a stream nor a page, and to a webhook that came as a GET. */
const UNCODED = /^(Route |Client |Exceeded maximum allowed HTTP header size|nothing (on this path takes an|took this) upgrade|there are text\/event-stream and application\/json|a webhook must be a POST)/
const JOINED = 160

interface Told { readonly code?: unknown, readonly statusCode?: unknown, readonly message?: unknown, readonly retry?: unknown }

export function readJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is Told => typeof value === 'object' && value !== null

/** Only there does anybody get an answer without a key in a header. */
const ENGINES = /^\/socket\.io\//
/** And there: the page of the monitor says nothing of the application. */
const PAGE = /^\/monitor(?!\/state)/
/** Who may see no instance is let in, and sees nothing. */
const ALL = /^\/(?:events|monitor\/state)(?:$|[?])/

/** Whether a request brings a key that opens what it asks for. */
function hasKey ({ url, headers }: HttpRequest, marker: string): boolean {
  const given = Buffer.concat(headers.map(([, value]) => bytesOf(value, '')))
  return opensAnything(given, marker) || (ALL.test(textOf(url, '')) && given.includes(keyOf(marker, 'none')))
}

/** What came as a password: it counts where events are published, and nowhere else. */
function passwords ({ headers }: HttpRequest): Buffer {
  return Buffer.concat(headers.map(([, value]) => {
    const [, encoded = ''] = /^Basic (\S+)$/.exec(textOf(value, '')) ?? []
    return Buffer.from(decodeURIComponent(Buffer.from(encoded, 'base64').toString()))
  }))
}

/** What is wrong with an answer of the routes that take events. */
export function publishFault (request: HttpRequest, answer: HttpAnswer, marker: string): string | undefined {
  const { method, headers } = request
  if (method === 'GET' && textOf(request.url, '').startsWith('/webhook/') && answer.status < 400) return `a GET of a webhook's path is answered ${answer.status}`
  if (method !== 'POST' || answer.status >= 400) return httpFault(request, answer, marker)
  const given = Buffer.concat([...headers.map(([, value]) => bytesOf(value, '')), passwords(request)])
  const may = (['global', 'publishes'] as const).some(word => given.includes(keyOf(marker, word)))
  return may ? undefined : `somebody has published without a key for it: ${answer.status} ${answer.body.toString('utf8', 0, JOINED)}`
}

/** What is wrong with an answer of HTTP; `undefined` when it may be so. */
export function httpFault (request: HttpRequest, { status, head, body }: HttpAnswer, marker: string): string | undefined {
  const { method, url } = request
  const isJson = /^content-type: application\/json/im.test(head)
  const told = isJson ? readJson(body.toString()) : undefined
  const shown = `${status} ${body.toString('utf8', 0, JOINED)}`
  if (status >= 500) {
    const code = isObject(told) ? told.code : undefined
    // An answer to HEAD has no body to tell why.
    if (status === 503 && (method === 'HEAD' || UNAVAILABLE.has(String(code)))) return undefined
    return `a route answered ${shown}`
  }
  const isEngines = ENGINES.test(textOf(url, ''))
  if (!(status >= 200)) return status === 101 && isEngines ? undefined : `a route answered ${shown}`
  if (status < 400 && !isEngines && !PAGE.test(textOf(url, '')) && !hasKey(request, marker)) return `a route did without a key what needs one: ${shown}`
  if (status < 400 || !isJson || method === 'HEAD') return undefined
  if (!isObject(told)) return `an error that is no object: ${shown}`
  const isOurs = typeof told.code === 'string' || typeof told.code === 'number' || UNCODED.test(String(told.message))
  return isOurs ? undefined : `an error without a code: ${shown}`
}

function refusalFault (refusal: unknown): string | undefined {
  const { code, statusCode, message, retry } = isObject(refusal) ? refusal : {}
  const isWhole = typeof statusCode === 'number' && statusCode >= 400 && typeof message === 'string' && message !== '' && typeof retry === 'boolean'
  return CODES.has(String(code)) && isWhole ? undefined : `a refusal without a code: ${JSON.stringify(refusal)?.slice(0, JOINED)}`
}

const REFUSED = /^44(?:\/[^,]*,)?(\{"message":[\s\S]*)$/
const SAYS = /^4(?:[23]|[56]\d+-)(?:\/[^,]*,)?\d*([\s\S]*)$/
const ACKNOWLEDGED = /^43(?:\/[^,]*,)?\d+(\[[\s\S]*\])$/

/** What is wrong with a packet that a client got; `undefined` when it may be so. */
export function packetFault (packet: string): string | undefined {
  if (packet.startsWith('44')) {
    const refused = readJson(REFUSED.exec(packet)?.[1] ?? '')
    return refusalFault((refused as { data?: unknown } | undefined)?.data)
  }
  const said = SAYS.exec(packet)?.[1]
  if (said !== undefined && readJson(said) === undefined) return `a packet that no client can read: ${packet.slice(0, JOINED)}`
  const answer = (readJson(ACKNOWLEDGED.exec(packet)?.[1] ?? '') as unknown[] | undefined)?.[0]
  return isObject(answer) && 'code' in answer && 'retry' in answer ? refusalFault(answer) : undefined
}
