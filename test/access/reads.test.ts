import t, { type Test } from 'tap'
import type { Message, Verify, WsEventsOptions } from '../../lib/index.js'
import monitor, { type MonitorState } from '../../lib/monitor/index.js'
import { EventStream } from '../helpers/event-stream.js'
import { readTable, shortCode } from '../helpers/outcome.js'
import { startServer, type TestServer } from '../helpers/server.js'

// What each key may read by HTTP: as a stream, as a page, and in the state of the monitor.

const ON = ['acme', 'beta', 'Teste 01', 'caf\u00e9']
const NFD = 'cafe\u0301'
const GRANTED = ['acme', 'off', 'unset', 'Teste 01', 'caf\u00e9']
const ALL = [...ON, 'off', 'unset']

const KEYS: Readonly<Record<string, string | null>> = { none: null, wrong: 'key-of-nobody', 'of acme': 'key-of-acme', granted: 'key-with-a-grant', global: 'the-global-key' }

const verify: Verify = ({ apikey, instance }) => {
  if (apikey === KEYS['of acme']) return instance === 'acme'
  return apikey === KEYS.granted && { instances: ['acme', 'off', 'unset', 'Teste 01', NFD] }
}

const CARRIERS: Readonly<Record<string, (key: string) => Record<string, string>>> = {
  header: apikey => ({ apikey }),
  bearer: key => ({ authorization: `Bearer ${key}` })
}

//   in    reads its own instance     part  reads the instances of the key's grant     all  reads every instance
const INSTANCES_TABLE = `
  read           | none             | wrong         | of acme       | granted               | global
  acme           | 401 UNAUTHORIZED | 403 FORBIDDEN | in            | in                    | in
  %61cm%65       | 401 UNAUTHORIZED | 403 FORBIDDEN | in            | in                    | in
  beta           | 401 UNAUTHORIZED | 403 FORBIDDEN | 403 FORBIDDEN | 403 FORBIDDEN         | in
  Teste%2001     | 401 UNAUTHORIZED | 403 FORBIDDEN | 403 FORBIDDEN | in                    | in
  cafe%CC%81     | 401 UNAUTHORIZED | 403 FORBIDDEN | 403 FORBIDDEN | in                    | in
  ACME           | 401 UNAUTHORIZED | 403 FORBIDDEN | 403 FORBIDDEN | 403 FORBIDDEN         | 404 NOT_SET
  unset          | 401 UNAUTHORIZED | 403 FORBIDDEN | 403 FORBIDDEN | 404 NOT_SET           | 404 NOT_SET
  off            | 401 UNAUTHORIZED | 403 FORBIDDEN | 403 FORBIDDEN | 403 INSTANCE_DISABLED | 403 INSTANCE_DISABLED
  acme%2Cbeta    | 400 INVALID_NAME | 400 INVALID_NAME | 400 INVALID_NAME | 400 INVALID_NAME | 400 INVALID_NAME`
const NO_ROOT = `
  /              | 404              | 404           | 404           | 404                   | 404`
const ROOT = `
  /              | 401 UNAUTHORIZED | 403 FORBIDDEN | 403 FORBIDDEN | part                  | all`

const STATE_TABLE = `
  read           | none             | wrong         | of acme       | granted       | global
  /              | 401 UNAUTHORIZED | 403 FORBIDDEN | 403 FORBIDDEN | part          | all
  acme           | 401 UNAUTHORIZED | 403 FORBIDDEN | in            | in            | in
  beta           | 401 UNAUTHORIZED | 403 FORBIDDEN | 403 FORBIDDEN | 403 FORBIDDEN | in
  unset          | 401 UNAUTHORIZED | 403 FORBIDDEN | 403 FORBIDDEN | in            | in
  off            | 401 UNAUTHORIZED | 403 FORBIDDEN | 403 FORBIDDEN | in            | in
  acme%2Cbeta    | 400 INVALID_NAME | 400 INVALID_NAME | 400 INVALID_NAME | 400 INVALID_NAME | 400 INVALID_NAME`

async function start (t: Test, options: WsEventsOptions): Promise<TestServer> {
  const server = await startServer(t, { apikey: 'the-global-key', verify, ...options }, { after: fastify => { void fastify.register(monitor, { prefix: '/monitor' }) } })
  for (const instance of ON) await server.fastify.wsEvents.set(instance, { enabled: true })
  await server.fastify.wsEvents.set('off', { enabled: false })
  return server
}

const pathOf = (read: string): string => read === '/' ? '/events' : `/instance/${read}/events`
const sorted = (names: Iterable<string>): string => [...new Set(names)].sort().join()

/** In the words of the tables, by the instances that were seen. */
function wordOf (read: string, seen: Iterable<string>, all: readonly string[]): string {
  const names = sorted(seen)
  if (read !== '/') return names === decodeURIComponent(read).normalize('NFC') ? 'in' : `sees ${names}`
  if (names === sorted(all)) return 'all'
  return names === sorted(all.filter(name => GRANTED.includes(name))) ? 'part' : `sees ${names}`
}

async function refusalOf (response: Response): Promise<string> {
  const { code } = await response.json() as { code?: string }
  return code === undefined ? String(response.status) : `${response.status} ${shortCode(code)}`
}

type Headers = Record<string, string>

/** A stream from now on; a word that says why there is none. */
async function openStream (t: Test, { url }: TestServer, read: string, headers: Headers): Promise<EventStream | string> {
  try {
    return await EventStream.open(t, url + pathOf(read), headers)
  } catch (error) {
    const [status, body = ''] = (error as Error).message.split(/ (.*)/s)
    const { code } = JSON.parse(body) as { code?: string }
    return code === undefined ? String(status) : `${String(status)} ${shortCode(code)}`
  }
}

async function readPage ({ url }: TestServer, read: string, headers: Headers, after: string): Promise<string> {
  const response = await fetch(`${url}${pathOf(read)}?after=${after}`, { headers })
  if (!response.ok) return await refusalOf(response)
  const { events } = await response.json() as { events: Message[] }
  return wordOf(read, events.map(({ instance }) => instance), ALL)
}

async function readState ({ url }: TestServer, read: string, headers: Headers): Promise<string> {
  const response = await fetch(`${url}/monitor/state${read === '/' ? '' : `?instance=${read}`}`, { headers })
  if (!response.ok) return await refusalOf(response)
  const { instances } = await response.json() as MonitorState
  return wordOf(read, instances.map(({ instance }) => instance), [...ON, 'off'])
}

const headersOf = (carrier: string, key: string): Headers => {
  const given = KEYS[key]
  return typeof given === 'string' ? CARRIERS[carrier]?.(given) ?? {} : {}
}

for (const [mode, { options, table }] of Object.entries({
  traditional: { options: {}, table: INSTANCES_TABLE + NO_ROOT },
  global: { options: { globalEvents: true }, table: INSTANCES_TABLE + ROOT }
})) {
  t.test(`in ${mode} mode, each key reads what it opens, and nothing else, as a stream and as pages`, async t => {
    const { heads, rows } = readTable(table)
    const server = await start(t, options)
    const { wsEvents } = server.fastify
    const streams: Array<{ read: string, carrier: string, key: string, stream: EventStream | string }> = []
    for (const [read = ''] of rows) {
      for (const carrier of Object.keys(CARRIERS)) {
        for (const key of heads.slice(1)) streams.push({ read, carrier, key, stream: await openStream(t, server, read, headersOf(carrier, key)) })
      }
    }
    const opened = streams.filter(({ stream }) => typeof stream !== 'string')
    const { lastEventId: after = '' } = opened.map(({ stream }) => stream as EventStream)[0] ?? {}
    for (const name of ALL) await wsEvents.emit(name, 'messages.upsert', { of: name })
    for (const name of ON) await wsEvents.emit(name, 'call', 'last')
    // The last one of those that everybody gets who reads more than one instance is that of café.
    for (const { stream } of opened) if (typeof stream !== 'string') await stream.until(() => stream.messages.some(({ event, instance }) => event === 'call' && (instance === 'caf\u00e9' || stream.readies[0]?.instance === instance)))
    for (const [read = '', ...expected] of rows) {
      for (const carrier of Object.keys(CARRIERS)) {
        const own = streams.filter(cell => cell.read === read && cell.carrier === carrier)
        const words = own.map(({ stream }) => typeof stream === 'string' ? stream : wordOf(read, stream.messages.map(({ instance }) => instance), ALL))
        t.strictSame(words, expected, `stream of ${read}, the key in ${carrier}`)
        const pages = await Promise.all(heads.slice(1).map(async key => await readPage(server, read, headersOf(carrier, key), after)))
        t.strictSame(pages, expected, `page of ${read}, the key in ${carrier}`)
      }
    }
  })

  t.test(`in ${mode} mode, each key is shown by the monitor what it opens, and nothing else`, async t => {
    const { heads, rows } = readTable(STATE_TABLE)
    const server = await start(t, options)
    for (const [read = '', ...expected] of rows) {
      for (const carrier of Object.keys(CARRIERS)) {
        const words = await Promise.all(heads.slice(1).map(async key => await readState(server, read, headersOf(carrier, key))))
        t.strictSame(words, expected, `state of ${read}, the key in ${carrier}`)
      }
    }
  })
}
