import { request } from 'node:http'
import t from 'tap'
import type { Refusal } from '../../lib/index.js'
import monitor from '../../lib/monitor/index.js'
import { connect } from '../helpers/client.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { reached, UNLIMITED } from './setup.js'

// Every way to try a key counts for its address, and every way is shut then.

async function statusOf (method: string, url: string, headers: Readonly<Record<string, string>> = {}): Promise<number> {
  return await new Promise((resolve, reject) => {
    const sent = request(url, { method, agent: false, headers: { apikey: 'wrong', ...headers } }, response => {
      resolve(response.statusCode ?? 0)
      response.destroy()
    })
    sent.on('error', reject).end()
  })
}

type Way = (url: string, t: Parameters<typeof connect>[0]) => Promise<number>

const http = (method: string, path: string, headers: Readonly<Record<string, string>> = {}): Way =>
  async url => await statusOf(method, url + path, headers)

const WAYS: Readonly<Record<string, Way>> = {
  socket: async (url, t) => {
    const socket = connect(t, `${url}/acme`, { auth: { apikey: 'wrong' }, reconnection: false })
    return await new Promise(resolve => {
      socket.once('connect_error', error => { resolve((error as Error & { data: Refusal }).data.statusCode) })
      // Who may come back later is cut off. A client that was refused closes its connection, too, before it says so.
      socket.io.once('close', () => { setImmediate(resolve, 429) })
    })
  },
  stream: http('GET', '/instance/acme/events', { accept: 'text/event-stream' }),
  page: http('GET', '/instance/acme/events?limit=1'),
  'stream of all': http('GET', '/events', { accept: 'text/event-stream' }),
  PUT: http('PUT', '/instance/acme/websocket'),
  GET: http('GET', '/instance/acme/websocket'),
  DELETE: http('DELETE', '/instance/acme/websocket'),
  'Evolution: set': http('POST', '/websocket/set/acme'),
  'Evolution: find': http('GET', '/websocket/find/acme'),
  'state of the monitor': http('GET', '/monitor/state'),
  'state of one instance': http('GET', '/monitor/state?instance=acme')
}

const start = async (t: Parameters<typeof connect>[0]): Promise<TestServer> =>
  await startServer(t, {
    apikey: 'the-global-key', globalEvents: true, evolution: true, defaultConfig: { enabled: true }, limits: { ...UNLIMITED, refusalsPerMinute: 3 }
  }, { after: fastify => { void fastify.register(monitor, { prefix: '/monitor' }) } })

for (const [name, way] of Object.entries(WAYS)) {
  t.test(`wrong keys by ${name} count for their address, and shut every way for it`, async t => {
    const server = await start(t)
    for (let time = 0; time < 3; time++) t.equal(await way(server.url, t), 403)
    for (const [other, tryIt] of Object.entries(WAYS)) t.equal(await tryIt(server.url, t), 429, other)
    t.ok((reached(server).refusalsPerMinute ?? 0) >= Object.keys(WAYS).length)
  })
}
