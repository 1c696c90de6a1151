import type { Socket } from 'socket.io-client'
import type { Test } from 'tap'
import type { WsEventsOptions } from '../../lib/index.js'
import { withoutOpenssl } from '../access/certificate.js'
import { deployNginx } from '../access/deployment.js'
import { admitted, connect, disconnected, refused } from '../helpers/client.js'
import { BIN } from '../bin/run.js'
import { folder } from '../helpers/documents.js'
import { EvolutionDouble } from '../helpers/evolution/double.js'
import { withoutNginx } from '../helpers/nginx.js'
import { freePort, Program } from '../helpers/program.js'
import { startServer } from '../helpers/server.js'
import { evaluate, Screen } from './evaluate.js'
import { curls } from './shell.js'
import { runs, type Stories, type Story } from './story.js'

const EVENT = 'messages.upsert'

/** The server's half of the first point, for a server and a client in some state: what it prints. */
async function asked (t: Test, code: string, options: WsEventsOptions, { config, path, auth = {} }: { config?: { enabled: boolean, events?: string[] }, path?: string, auth?: object }): Promise<string[]> {
  const { fastify, url } = await startServer(t, options)
  if (config !== undefined) await fastify.wsEvents.set('acme', config)
  if (path !== undefined) await admitted(connect(t, `${url}${path}`, { auth }))
  const screen = new Screen()
  await evaluate(code, { fastify, console: screen })
  return screen.lines
}

const client: Story = runs(async (t, { code }) => {
  const { fastify, url } = await startServer(t, { evolution: true })
  await fastify.wsEvents.set('acme', { enabled: true })
  const tried = async (path: string): Promise<{ socket: Socket, screen: Screen }> => {
    const socket = connect(t, `${url}${path}`, { reconnectionDelay: 10_000, autoConnect: false })
    const screen = new Screen()
    await evaluate(code, { socket, console: screen })
    socket.connect()
    return { socket, screen }
  }
  const { socket, screen } = await tried('/acme')
  await screen.shows('in /acme')
  await fastify.wsEvents.emit('acme', EVENT, {})
  await screen.shows('event messages.upsert')
  await fastify.wsEvents.remove('acme')
  await screen.shows('out io server disconnect')
  t.notOk(socket.active, 'it stays away')
  await (await tried('/')).screen.shows('in /')
  await (await tried('/beta')).screen.shows(/^not in FST_ERR_WS_EVENTS_NOT_SET /)
  await (await tried('/events/acme')).screen.shows(/^not in FST_ERR_WS_EVENTS_INVALID_NAME /)
  await fastify.close()
  await (await tried('/acme')).screen.shows(/^not in undefined /)
})

const server: Story = runs(async (t, { code }) => {
  const on = { enabled: true }
  const [first, there] = await asked(t, code, {}, { config: on, path: '/acme' })
  t.equal(first, "[ '/acme' ] undefined")
  t.match(there, /^acme 127\.0\.0\.1 \[[^]*'messages.upsert'[^]*\] undefined$/)
  t.match(await asked(t, code, { evolution: true }, { config: on, path: '/' }), ["[ '/acme' ] undefined", /^null 127\.0\.0\.1 \[/])
  t.strictSame(await asked(t, code, {}, { config: on, path: '/acme', auth: { events: ['call'] } }), ["[ '/acme' ] undefined", "acme 127.0.0.1 [ 'call' ] undefined"])
  t.strictSame(await asked(t, code, {}, { config: on }), ["[ '/acme' ] undefined"])
  t.strictSame(await asked(t, code, {}, {}), ['[] not-set'])
  t.strictSame(await asked(t, code, {}, { config: { enabled: false } }), ['[] instance-disabled'])
  t.strictSame(await asked(t, code, {}, { config: { enabled: true, events: ['call'] } }), ['[] filtered'])
  t.strictSame(await asked(t, code, { enabled: false }, { config: on }), ['[] disabled'])
})

/** `serve` beside a double of Evolution, with the keys that the document has. */
export async function beside (t: Test): Promise<string> {
  const evolution = new EvolutionDouble('YOUR_GLOBAL_KEY', { acme: 'TOKEN_OF_ACME' })
  t.teardown(async () => { await evolution.close() })
  const [evolutionUrl, port] = [await evolution.listen(), await freePort()]
  const env = { HOST: '127.0.0.1', PORT: String(port), AUTHENTICATION_API_KEY: 'YOUR_GLOBAL_KEY', WEBSOCKET_PUBLISH_KEY: 'YOUR_PUBLISH_KEY', EVOLUTION_API_URL: evolutionUrl, WEBSOCKET_SHUTDOWN_DELAY_MS: '0' }
  const program = new Program(t, process.execPath, [BIN, 'serve'], { cwd: folder(t, []), env })
  await program.printed(lines => lines.some(line => line.includes('Server listening')))
  return `http://127.0.0.1:${port}`
}

const webhook = (url: string, key?: string): Promise<Response> => fetch(`${url}/webhook/evolution`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', ...(key !== undefined && { authorization: `Basic ${Buffer.from(`x:${key}`).toString('base64')}` }) },
  body: JSON.stringify({ event: EVENT, instance: 'acme', data: 1, date_time: '2026-01-02T03:04:05.678Z' })
})

/** Where the document has `serve`. */
const SERVE = 'http://localhost:8081'

export const TROUBLESHOOTING: Stories = {
  '## Beside an Evolution API: nothing arrives': [runs(async (t, { code }) => {
    const url = await beside(t)
    await curls(t, code, { [SERVE]: url })
    t.equal((await webhook(url)).status, 401)
    t.equal((await webhook(url, 'another')).status, 403)
    const { status, text } = { status: (await fetch(`${url}/instance/acme/websocket`, { headers: { apikey: 'YOUR_GLOBAL_KEY' } })).status, text: await (await webhook(url, 'YOUR_PUBLISH_KEY')).text() }
    t.equal(status, 404, 'while events flow')
    t.match(text, /^\{"id":"\w+","routes":\["\/acme"\]\}$/)
  }), runs(async (t, { code }) => {
    const url = await beside(t)
    await (await webhook(url, 'YOUR_PUBLISH_KEY')).text()
    await curls(t, code, { [SERVE]: url })
  }), runs(async (t, { code }) => {
    const url = await beside(t)
    await curls(t, code.replace('--max-time 60', '--max-time 2'), { [SERVE]: url })
    const ask = async (apikey: string): Promise<number> => (await fetch(`${url}/instance/acme/events`, { headers: { apikey, accept: 'text/event-stream' } })).status
    t.equal(await ask('another'), 403)
  })],

  '## 1. Ask both sides': [client, server],

  '## 2. The name that you listen to': [runs(async (t, { code }) => {
    const { fastify, url } = await startServer(t, { defaultConfig: { enabled: true } })
    const socket = connect(t, `${url}/acme`)
    const screen = new Screen()
    socket.on('MESSAGES_UPSERT', () => { t.fail('on the wire, names have dots') })
    socket.on('call', () => {})
    await evaluate(code, { socket, console: screen })
    await admitted(socket)
    for (const event of [EVENT, 'call', 'chats.set']) await fastify.wsEvents.emit('acme', event, {})
    await screen.shows('nobody listens to chats.set')
    t.strictSame(screen.lines, ['nobody listens to messages.upsert', 'nobody listens to chats.set'])
  })],

  '## 3. The namespace': [runs(async (t, { code }) => {
    for (const [globalEvents, mode] of [[false, 'traditional'], [true, 'global']] as const) {
      const { fastify } = await startServer(t, { globalEvents })
      const screen = new Screen()
      await evaluate(code, { fastify, console: screen })
      t.strictSame(screen.lines, [mode])
    }
  })],

  '## 4. What is let through': [runs(async (t, { code }) => {
    const { fastify, url } = await startServer(t, { apikey: 'YOUR_KEY' })
    await fastify.wsEvents.set('acme', { enabled: true, events: ['call'] })
    await curls(t, code, { 'http://localhost:8080': url })
  })],

  '## 5. Refused': [runs(async (t, { code }) => {
    const { fastify, url } = await startServer(t)
    await refused(connect(t, `${url}/acme`))
    const screen = new Screen()
    await evaluate(code, { fastify, console: screen })
    t.match(screen.lines, [/NOT_SET: 1/])
  })],

  '## 6. Not a Socket.IO client': [runs(async (t, { code }) => {
    const { url } = await startServer(t)
    await curls(t, code, { 'http://localhost:8080': url })
    t.match(await (await fetch(`${url}/socket.io/?EIO=3&transport=polling`)).text(), 'Unsupported protocol version', 'so it is for version 2')
    t.equal((await fetch(`${url}/other.io/?EIO=4&transport=polling`)).status, 404)
    const { WebSocket } = await import('ws')
    const plain = new WebSocket(`${url.replace('http', 'ws')}/acme`)
    const error = await new Promise<Error>(resolve => { plain.on('error', resolve) })
    t.equal(error.message, 'Unexpected server response: 404')
  })],

  '## 7. The proxy': [runs(async (t, { code }) => {
    const { port } = await startServer(t, { trustProxy: '127.0.0.1', apikey: 'key' })
    const faster = code.replace('--max-time 3', '--max-time 1')
    const { url, certificate: { certFile } } = await deployNginx(t, port)
    await curls(t, faster, { 'https://events.example.com': url }, { CURL_CA_BUNDLE: certFile })
    const changed = async (status: number, target: number, change: (text: string) => string): Promise<void> => {
      const proxy = await deployNginx(t, target, { change })
      await curls(t, faster.replace('HTTP/1.1 101', `HTTP/1.1 ${status}`), { 'https://events.example.com': proxy.url }, { CURL_CA_BUNDLE: proxy.certificate.certFile })
    }
    await changed(400, port, text => text.replace(/ +proxy_set_header (Upgrade|Connection) .*\n/g, ''))
    await changed(502, await freePort(), text => text)
    await changed(404, port, text => text.replace('location / {', 'location / { return 404; }\n  location /other/ {'))
  }, withoutNginx || withoutOpenssl)],

  '## 8. Web pages': [runs(async (t, { code }) => {
    const { url } = await startServer(t, { apikey: 'key', cors: ['https://app.example.com'] })
    await curls(t, code, { 'http://localhost:8080': url })
    const answer = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers: { origin: 'https://other.example.com' } })
    t.equal(answer.headers.get('access-control-allow-origin'), null)
  })],

  '## 9. Another process': [runs(async (t, { code }) => {
    const [withClient, emitting] = await Promise.all([startServer(t, { defaultConfig: { enabled: true } }), startServer(t, { defaultConfig: { enabled: true } })])
    await admitted(connect(t, `${withClient.url}/acme`))
    await emitting.fastify.wsEvents.emit('acme', EVENT, {})
    const screen = new Screen()
    for (const { fastify } of [withClient, emitting]) await evaluate(code, { fastify, console: screen })
    t.strictSame(screen.lines, [`${process.pid} 1 0`, `${process.pid} 0 1`])
  })],

  '## 10. It was not there at that moment': [runs(async (t, { code }) => {
    const { fastify, url } = await startServer(t, { defaultConfig: { enabled: true } })
    const socket = await admitted(connect(t, `${url}/acme`))
    const left = disconnected(socket)
    socket.disconnect()
    await left
    const screen = new Screen()
    await evaluate(code, { fastify, console: screen })
    t.match(screen.lines.join(), /slowConsumers: 0[^]*available: true[^]*limits: [^]*dropped: 0/)
  })]
}
