import { once } from 'node:events'
import { request } from 'node:http'
import t from 'tap'
import { WebSocket } from 'ws'
import { type Transport, transports } from '../helpers/client.js'
import { PREFIX } from '../helpers/outcome.js'
import { startServer } from '../helpers/server.js'

const INVALID = `${PREFIX}INVALID_FILTER`
const options = { apikey: 'good', globalEvents: true, defaultConfig: { enabled: true } }

const REPEATED: ReadonlyArray<readonly [query: string, named: RegExp]> = [
  ['events=call&events=messages.upsert', /"events" more than once/],
  ['events=call&events=call', /"events" more than once/],
  ['events=&events=call', /"events" more than once/],
  ['events=call&%65vents=call', /"events" more than once/],
  ['instances=a&instances=b', /"instances" more than once/],
  ['events[]=call', /"events\[\]"/],
  ['events%5B0%5D=call', /"events\[0\]"/]
]

const KEYS: ReadonlyArray<readonly [query: string, named: RegExp]> = [
  ['apikey=good&apikey=bad', /"apikey" more than once/],
  ['apikey=bad&apikey=good', /"apikey" more than once/],
  ['apikey=&apikey=good', /"apikey" more than once/]
]

/** Asks for a namespace as a client does that sends its query as it was written: the stock client keeps the last value itself. */
async function answerTo (transport: Transport, url: string, query: string, packet: string): Promise<string> {
  const engine = `${url}/socket.io/?EIO=4&transport=${transport}&${query}`
  if (transport === 'websocket') {
    const socket = new WebSocket(engine.replace('http', 'ws'))
    await once(socket, 'message')
    socket.send(packet)
    const [answer] = await once(socket, 'message') as [Buffer]
    socket.terminate()
    return String(answer)
  }
  const { sid } = JSON.parse((await (await fetch(engine)).text()).slice(1)) as { sid: string }
  await fetch(`${engine}&sid=${sid}`, { method: 'POST', body: packet })
  const answer = await (await fetch(`${engine}&sid=${sid}`)).text()
  await fetch(`${engine}&sid=${sid}`, { method: 'POST', body: '1' })
  return answer
}

for (const transport of transports) {
  for (const prefix of ['', '/acme,']) {
    t.test(`over ${transport} at ${prefix === '' ? 'the root' : prefix}, a parameter that comes twice is refused`, async t => {
      const { url } = await startServer(t, options)
      for (const [query, named] of [...REPEATED.map(([query, named]) => [`apikey=good&${query}`, named] as const), ...KEYS]) {
        const answer = await answerTo(transport, url, query, `40${prefix}`)
        t.ok(answer.startsWith(`44${prefix}{`), query)
        t.match(JSON.parse(answer.slice(2 + prefix.length)), { data: { code: INVALID, statusCode: 400, message: named, retry: false } }, query)
      }
      const answer = await answerTo(transport, url, 'apikey=bad&apikey=good', `40${prefix}{"apikey":"good"}`)
      t.match(answer, INVALID, 'with a key elsewhere, too')
    })

    t.test(`over ${transport} at ${prefix === '' ? 'the root' : prefix}, all other parameters pass`, async t => {
      const { url } = await startServer(t, options)
      for (const query of ['events=call,messages.upsert', 'events=', 'EVENTS=a&EVENTS=b', 'mine=1&mine=2&mine[]=3', 'after=1&after=2']) {
        t.ok((await answerTo(transport, url, `apikey=good&${query}`, `40${prefix}`)).startsWith(`40${prefix}{"sid":`), query)
      }
    })
  }
}

t.test('streams and pages refuse a parameter that comes twice, once the key is accepted', async t => {
  const { url } = await startServer(t, options)
  for (const path of ['/events', '/instance/acme/events']) {
    for (const accept of ['text/event-stream', 'application/json']) {
      const queries = path === '/events' ? REPEATED : REPEATED.filter(([query]) => !query.startsWith('instances'))
      for (const [query, named] of [...queries, ...KEYS, ['after=a&after=b', /"after" more than once/], ['limit=1&limit=2', /"limit" more than once/]] as const) {
        const answer = await fetch(`${url}${path}?${query}`, { headers: { accept, apikey: 'good' } })
        t.equal(answer.status, 400, query)
        t.match(await answer.json(), { code: INVALID, message: named }, query)
        t.equal((await fetch(`${url}${path}?${query}`, { headers: { accept, apikey: 'bad' } })).status, 403)
      }
    }
  }
})

/** Sends a header twice, which fetch would not. */
async function statusOf (url: string, headers: string[]): Promise<number | undefined> {
  return await new Promise((resolve, reject) => {
    const outgoing = request(url, { headers: ['accept', 'application/json', 'host', 'localhost', ...headers] as never }, response => {
      response.resume()
      resolve(response.statusCode)
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}

t.test('two different keys in two headers open nothing', async t => {
  const { url } = await startServer(t, options)
  t.equal(await statusOf(`${url}/events`, ['apikey', 'good']), 200)
  t.equal(await statusOf(`${url}/events`, ['apikey', 'good', 'apikey', 'bad']), 403)
  t.equal(await statusOf(`${url}/events`, ['apikey', 'bad', 'apikey', 'good']), 403)
  t.equal(await statusOf(`${url}/events`, ['authorization', 'Bearer bad', 'authorization', 'Bearer good']), 403)
})
