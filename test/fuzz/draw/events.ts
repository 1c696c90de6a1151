import fc from 'fast-check'
import type { Part } from '../parts.js'
import { type Header, type HttpRequest, inPath, whence } from './http.js'
import { keyHeader, keyQuery } from './keys.js'
import { event, INSTANCES, nearId, nameText, word } from './values.js'

/**
 * How a client takes what it has asked for: to the end of a page or the beginning of a stream, the same after a while
 * in which it reads nothing, until the head of the answer, until its body has begun, or not at all.
 */
export const TAKES = ['whole', 'late', 'head', 'middle', 'nothing'] as const

/** What a client asks of the streams and the pages, in one write. */
export interface EventsAsk {
  /** More than one are pipelined. */
  readonly requests: readonly HttpRequest[]
  readonly takes: typeof TAKES[number]
  /** By ending its side, or by a reset. */
  readonly leaves: 'end' | 'reset'
}

const percent = (text: string): string => encodeURIComponent(text.toWellFormed())
const accepts = ['text/event-stream', 'text/event-stream', 'text/event-stream', 'application/json', 'application/json', '*/*', 'text/*;q=0.5, application/json', 'text/html', '', 'text/event-stream;q=0, */*', ';;,,q=', 'application/json;q=9', `${'a/b,'.repeat(2000)}*/*`]
const accept: fc.Arbitrary<Header> = fc.constantFrom(...accepts).map((text): Header => ['Accept', [text]])

const lastEventId: fc.Arbitrary<Header> = fc.oneof(
  { weight: 4, arbitrary: nearId.map((part): Header => ['Last-Event-ID', [part]]) },
  { weight: 1, arbitrary: fc.constantFrom<Part[]>('', '0', '*', '$', '-', 'z'.repeat(19), { repeat: 'x', times: 300 }).map((part): Header => ['Last-Event-ID', [part]]) }
)

const SITES = ['cross-site', 'same-site', 'same-origin', 'none', 'odd', '']
/** What a browser says of a page that asks. */
const browser: fc.Arbitrary<Header> = fc.oneof(
  fc.constantFrom(...SITES).map((text): Header => ['Sec-Fetch-Site', [text]]),
  fc.constantFrom('navigate', 'no-cors', 'cors', 'websocket', '').map((text): Header => ['Sec-Fetch-Mode', [text]]),
  fc.constantFrom('image', 'empty', 'document').map((text): Header => ['Sec-Fetch-Dest', [text]]),
  fc.constantFrom<Header>(['User-Agent', ['Mozilla/5.0']], ['Cookie', ['session=good']], ['Connection', ['close']], ['Cache-Control', ['no-cache']])
)

/** A list as a query has it, in the ways that a filter takes and in others. */
const list = (each: fc.Arbitrary<string>): fc.Arbitrary<Part[]> => fc.oneof(
  { weight: 6, arbitrary: fc.array(each, { maxLength: 3 }).map(names => [names.map(percent).join()]) },
  { weight: 2, arbitrary: fc.constantFrom('messages.*', 'call', '*', ',', ',,', '', 'messages.*,call').map(text => [text]) },
  { weight: 1, arbitrary: fc.tuple(each, fc.constantFrom(50, 300)).map(([text, times]) => [{ repeat: `${percent(text)},`, times }]) }
)

/** No key is to be brought in its query: there is no HEAD of streams, and the log of what is not there is the host's affair. */
const HEAD = 'HEAD'
const NO_KEY = ''
const get = fc.constantFrom('GET', 'GET', 'GET', 'GET', 'GET', 'GET', 'GET', 'GET', HEAD)

const parameter = (marker: string): fc.Arbitrary<Part[]> => fc.oneof(
  { weight: 5, arbitrary: nearId.map(part => ['after=', part]) },
  { weight: 2, arbitrary: fc.constantFrom('', '0', '%', '%zz', 'z'.repeat(19), 'x'.repeat(300)).map(text => [`after=${text}`]) },
  { weight: 4, arbitrary: fc.constantFrom('1', '2', '7', '100', '1000', '1000', '0', '-1', '1001', '1.5', '1e3', 'x', '', '9'.repeat(30)).map(text => [`limit=${text}`]) },
  { weight: 4, arbitrary: list(event).map(parts => ['events=', ...parts]) },
  { weight: 2, arbitrary: list(nameText).map(parts => ['instances=', ...parts]) },
  { weight: marker === NO_KEY ? 0 : 1, arbitrary: keyQuery(marker) },
  { weight: 1, arbitrary: fc.constantFrom('events[]=call', 'events%5B%5D=call', 'after[a]=1', '__proto__=1', 'constructor=1', 'lastEventId=1', '%', '=', '&&', ';', 'limit', 'after').map(text => [text]) }
)

const query = (marker: string): fc.Arbitrary<Part[]> => fc.array(parameter(marker), { maxLength: 3 })
  .map(parts => parts.flatMap((given, at) => [at === 0 ? '?' : '&', ...given]))

const withQuery = (path: fc.Arbitrary<Part[]>, marker: string): fc.Arbitrary<Part[]> => fc.tuple(path, query(marker)).map(([at, asked]) => [...at, ...asked])

/** With keys in the query only where the path is surely the plugin's: the log of others is the host's affair. */
const url = (marker: string): fc.Arbitrary<Part[]> => fc.oneof(
  { weight: 6, arbitrary: withQuery(fc.constantFrom<string>(...INSTANCES).map((name): Part[] => ['/instance/', encodeURIComponent(name), '/events']), marker) },
  { weight: 3, arbitrary: withQuery(inPath.map((at): Part[] => ['/instance/', ...at, '/events']), NO_KEY) },
  { weight: 3, arbitrary: withQuery(fc.constant<Part[]>(['/events']), NO_KEY) }
)

const keys = (marker: string): fc.Arbitrary<Header[]> => fc.oneof(
  { weight: 8, arbitrary: keyHeader(marker).map((header): Header[] => [header]) },
  { weight: 2, arbitrary: fc.constantFrom('global', 'yes', 'one', 'calls').map((known): Header[] => [['apikey', [`${marker}-${known}`]]]) },
  { weight: 1, arbitrary: fc.array(keyHeader(marker), { maxLength: 3 }) }
)

/** A request for a stream or a page. */
const eventsRequest = (marker: string): fc.Arbitrary<HttpRequest> => get.chain(method => fc.record({
  method: fc.constant(method),
  url: url(method === HEAD ? NO_KEY : marker),
  headers: fc.tuple(keys(marker), fc.option(accept, { nil: undefined }), fc.option(lastEventId, { nil: undefined }), fc.array(fc.oneof(browser, whence), { maxLength: 2 }))
    .map(([own, type, id, others]): Header[] => [...own, ...(type === undefined ? [] : [type]), ...(id === undefined ? [] : [id]), ...others]),
  body: fc.constant(null),
  chunk: fc.constant(0)
}))

/** What one client asks of streams and pages before it leaves. */
export const eventsAsk = (marker: string): fc.Arbitrary<EventsAsk> => fc.record({
  requests: fc.oneof(
    { weight: 5, arbitrary: fc.tuple(eventsRequest(marker)) },
    { weight: 1, arbitrary: fc.array(eventsRequest(marker), { minLength: 2, maxLength: 12, size: 'max' }) }
  ),
  takes: fc.constantFrom(...TAKES, 'whole' as const, 'whole' as const),
  leaves: fc.constantFrom('end', 'reset')
})

/** In the query of the state alone: the rest of the monitor has none. */
const monitorPath = (marker: string): fc.Arbitrary<Part[]> => fc.oneof(
  { weight: 4, arbitrary: fc.constant<Part[]>(['/monitor/state']) },
  { weight: 4, arbitrary: inPath.map(at => ['/monitor/state?instance=', ...at]) },
  { weight: 1, arbitrary: keyQuery(marker).map(asked => ['/monitor/state?', ...asked]) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('instance', 'instances', 'instance[]', '__proto__'), word).map(([name, text]) => [`/monitor/state?instance=fuzz-a&${name}=${percent(text)}`]) },
  { weight: 2, arbitrary: fc.constantFrom('/monitor', '/monitor/', '/monitor/page.js', '/monitor/page.css', '/monitor?x=1', '/monitor//', '/monitor/index.html', '/monitor/state/').map(text => [text]) }
)

/** A request to the monitor: its page, and its state. */
export const monitorRequest = (marker: string): fc.Arbitrary<HttpRequest> => fc.record({
  method: fc.constantFrom('GET', 'GET', 'GET', 'GET', 'GET', 'HEAD'),
  url: monitorPath(marker),
  headers: fc.tuple(keys(marker), fc.array(fc.oneof(browser, whence), { maxLength: 2 })).map(([own, others]): Header[] => [...own, ...others]),
  body: fc.constant(null),
  chunk: fc.constant(0)
})
