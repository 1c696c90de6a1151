import t, { type Test } from 'tap'
import type { WsEventsOptions } from '../../lib/index.js'
import { type Transport, transports } from '../helpers/client.js'
import type { Program } from '../helpers/program.js'
import { runPython, withoutPython as skip } from '../helpers/python.js'
import { startServer } from '../helpers/server.js'

// python-socketio as Debian has it: the story of clients.test.ts. How it resumes: test/resume/python.test.ts.

// To start Python takes seconds where the machine is busy.
t.setTimeout(300_000)

const options: WsEventsOptions = { apikey: 'good', defaultConfig: { enabled: true } }

/** When it comes back it gives its namespace the default time, which is a second: too little where the machine is busy. */
const PATIENT = 'socketio.Client.connect.__defaults__ = (*socketio.Client.connect.__defaults__[:-1], 5)'

/** Connects with the arguments of `sio.connect`, and prints what happens in its namespace as JSON, a line each. */
const CLIENT = `
import json, sys, socketio

how = json.loads(sys.argv[1])
sio = socketio.Client(reconnection_delay=0.02, reconnection_delay_max=0.1)

def say(*words):
    print(json.dumps(words, default=list), flush=True)

def listen(namespace):
    sio.on('connect', lambda: say('connect', namespace), namespace=namespace)
    sio.on('connect_error', lambda data: say('connect_error', data), namespace=namespace)
    sio.on('call', lambda message: say('call', message['data']), namespace=namespace)
    sio.on('messages.upsert', lambda message: say('messages.upsert', message['data']), namespace=namespace)

listen('/')
listen('/acme')
try:
    sio.connect(**how)
except socketio.exceptions.ConnectionError:
    sys.exit(3)
${PATIENT}
sio.wait()
`

/** Connects as Evolution's client for Python does. */
const EVOLUTION_CLIENT = `
import json, sys, socketio

url = json.loads(sys.argv[1])['url']
sio = socketio.Client(ssl_verify=False, logger=False, engineio_logger=False, request_timeout=30,
                      reconnection_delay=0.02, reconnection_delay_max=0.1)

def on_any(event, *args):
    print(json.dumps([event, args[0]['data']], default=list), flush=True)

sio.on('connect', lambda: print(json.dumps(['connect', '/']), flush=True))
sio.on('connect', lambda: print(json.dumps(['connect', '/acme']), flush=True), namespace='/acme')
sio.on('*', on_any, namespace='/acme')
sio.connect(f'{url}?apikey=good', transports=['websocket'], namespaces=['/acme'], wait_timeout=30)
sio.emit('subscribe', {'instance': 'acme'}, namespace='/acme')
${PATIENT}
sio.wait()
`

const said = ({ lines }: Program): unknown[] => lines.map(line => JSON.parse(line) as unknown)

/** A client in /acme, and what it has printed. */
async function join (t: Test, code: string, how: object): Promise<Program> {
  const program = runPython(t, code, [JSON.stringify({ namespaces: ['/acme'], wait_timeout: 60, ...how })])
  await program.printed(lines => lines.length === 1)
  return program
}

const CONNECTED = ['connect', '/acme']
const bytes = Buffer.from([1, 2, 3])
const ways = [
  (url: string, key: string) => ({ url: `${url}?apikey=${key}` }),
  (url: string, key: string) => ({ url, headers: { apikey: key } }),
  (url: string, key: string) => ({ url, auth: { apikey: key } })
]

/** In seconds. `connect()` of a client that is refused takes all of it. */
const REFUSED_WAIT = 3

async function playKey (t: Test, transport: Transport, keyBy: (typeof ways)[number]): Promise<void> {
  const { fastify, url } = await startServer(t, options)
  const refused = runPython(t, CLIENT, [JSON.stringify({ namespaces: ['/acme'], transports: [transport], wait_timeout: REFUSED_WAIT, ...keyBy(url, 'bad') })])
  const program = await join(t, CLIENT, { transports: [transport], ...keyBy(url, 'good') })
  await fastify.wsEvents.emit('acme', 'call', { text: 'olá 👍' })
  await program.printed(lines => lines.length === 2)
  await fastify.wsEvents.emit('acme', 'call', { bytes })
  await program.printed(lines => lines.length === 3)
  t.strictSame(said(program), [CONNECTED, ['call', { text: 'olá 👍' }], ['call', { bytes: [1, 2, 3] }]])
  t.equal(await refused.ended, 3, 'connect() raises ConnectionError')
  const refusal = { code: 'FST_ERR_WS_EVENTS_FORBIDDEN', statusCode: 403, retry: false }
  t.match(said(refused), [['connect_error', { data: refusal }]])
}

for (const transport of transports) {
  t.test(`${transport}, by each way to give the key: events with and without bytes, and a refusal`, { skip }, async t => {
    await Promise.all(ways.map(async keyBy => { await playKey(t, transport, keyBy) }))
  })
}

t.test('a filter in the query', { skip }, async t => {
  const { fastify, url } = await startServer(t, options)
  const program = await join(t, CLIENT, { url: `${url}?apikey=good&events=call` })
  await fastify.wsEvents.emit('acme', 'messages.upsert', 1)
  await fastify.wsEvents.emit('acme', 'call', 2)
  await program.printed(lines => lines.length === 2)
  t.strictSame(said(program), [CONNECTED, ['call', 2]])
})

for (const [name, code] of [['python-socketio', CLIENT], ["Evolution's client for Python", EVOLUTION_CLIENT]] as const) {
  t.test(`${name} comes back by itself when the server restarts`, { skip }, async t => {
    const before = await startServer(t, { ...options, evolution: true })
    const how = code === CLIENT ? { url: `${before.url}?apikey=good` } : { url: before.url }
    const program = await join(t, code, how)
    await before.fastify.wsEvents.emit('acme', 'call', 'before')
    await program.printed(lines => lines.length === 2)
    await before.fastify.close()
    const { fastify } = await startServer(t, { ...options, evolution: true }, { port: before.port })
    await program.printed(lines => lines.length === 3)
    await fastify.wsEvents.emit('acme', 'call', { after: bytes })
    await program.printed(lines => lines.length === 4)
    const expected = [CONNECTED, ['call', 'before'], CONNECTED, ['call', { after: [1, 2, 3] }]]
    t.strictSame(said(program), expected, 'and never joins the root')
  })
}
