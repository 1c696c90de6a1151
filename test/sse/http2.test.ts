import compress from '@fastify/compress'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { makeCertificate, withoutOpenssl } from '../access/certificate.js'
import { admitted, connect, Inbox } from '../helpers/client.js'
import { eventually } from '../helpers/latch.js'
import { startServer } from '../helpers/server.js'
import { startHost } from '../upgrades/helpers/host.js'

t.test('a stream says that nothing may change it, and is not compressed', async t => {
  const { fastify, url } = await startServer(t, { defaultConfig: { enabled: true } }, { before: async fastify => { await fastify.register(compress, { threshold: 0 }) } })
  const ended = new AbortController()
  t.teardown(() => { ended.abort() })
  const response = await fetch(`${url}/instance/acme/events`, { headers: { accept: 'text/event-stream', 'accept-encoding': 'gzip, br' }, signal: ended.signal })
  t.match(response.headers.get('cache-control'), /no-transform/)
  t.equal(response.headers.get('content-encoding'), null)
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  await fastify.wsEvents.emit('acme', 'call', 'at once')
  let text = ''
  while (!text.includes('at once')) text += (await reader?.read())?.value ?? ''
  t.match(text, /event: call/)
})

t.test('over HTTP/2, beside HTTP/1: streams, pages, routes and sockets, without a warning', { skip: withoutOpenssl }, async t => {
  const directory = mkdtempSync(join(tmpdir(), 'http2-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const certificate = makeCertificate(directory)
  const warnings: string[] = []
  const warned = ({ message }: Error) => { warnings.push(message) }
  process.on('warning', warned)
  t.teardown(() => { process.off('warning', warned) })
  const { fastify, port } = await startHost(t, { certificate, http2: true })
  const { wsEvents } = fastify
  const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: certificate.ca })
  t.teardown(() => { session.destroy() })
  const ask = async (headers: Record<string, string>, body?: string) => {
    const stream = session.request(headers)
    stream.setEncoding('utf8').end(body)
    const [answer] = await once(stream, 'response') as [Record<string, unknown>]
    let text = ''
    for await (const part of stream) text += part as string
    return { status: answer[':status'], text }
  }
  t.equal((await ask({ ':method': 'PUT', ':path': '/instance/acme/websocket', 'content-type': 'application/json' }, '{"enabled":true}')).status, 201)
  for (const way of ['the client', 'the server'] as const) {
    const stream = session.request({ ':path': '/instance/acme/events', accept: 'text/event-stream' }).setEncoding('utf8')
    let text = ''
    stream.on('data', (part: string) => { text += part })
    const [headers] = await once(stream, 'response') as [Record<string, unknown>]
    t.match(headers, { ':status': 200, 'content-type': 'text/event-stream', 'cache-control': /no-transform/ })
    const client = connect(t, `https://127.0.0.1:${port}/acme`, { transports: ['polling', 'websocket'], ca: certificate.ca } as object)
    const inbox = new Inbox(client)
    await admitted(client)
    await eventually(() => text.includes('ws.ready'))
    await wsEvents.emit('acme', 'call', way)
    await eventually(() => text.includes(way))
    t.equal((await inbox.got(1))[0]?.data, way, 'a socket over HTTP/1')
    if (way === 'the client') stream.close()
    else await wsEvents.disconnect({ instance: 'acme' })
    client.disconnect()
    await eventually(() => wsEvents.clients({ instance: 'acme' }).length === 0)
    t.match(wsEvents.stats(), { clients: { connections: 0 } }, `ended by ${way}: counted once`)
  }
  const page = await ask({ ':path': '/instance/acme/events?limit=10', accept: 'application/json' })
  t.equal(page.status, 200)
  t.match(JSON.parse(page.text), { recovered: null })
  t.equal((await ask({ ':path': '/socket.io/?EIO=4&transport=polling' })).status, 200, "Socket.IO's polling over HTTP/2")
  t.equal((await ask({ ':path': '/elsewhere' })).status, 404)
  t.strictSame(warnings, [])
})
