import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import '../../lib/gateway/io.js'
import type { WsEventsOptions } from '../../lib/index.js'
import { type ClientOptions, connect, disconnected, listen, type Transport, transports } from '../helpers/client.js'
import { withoutCaddy } from '../helpers/caddy.js'
import { atPort, files, folder, read, root, section } from '../helpers/documents.js'
import { eventually } from '../helpers/latch.js'
import { withoutNginx } from '../helpers/nginx.js'
import { outcomeOf } from '../helpers/outcome.js'
import { freePort, Program } from '../helpers/program.js'
import { datas } from '../helpers/resume.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { attempt, type Target } from '../access/attempt.js'
import { makeCertificate, withoutOpenssl } from '../access/certificate.js'
import { deployCaddy, type DeployedProxy, DEPLOYMENT, deployNginx, nginxDocumented, withValues } from '../access/deployment.js'

const KEY = 'a-secret/key+of=mine'
const options: WsEventsOptions = { apikey: KEY, trustProxy: '127.0.0.1' }

interface Deployed { server: TestServer, proxy: DeployedProxy }

const PROXIES = {
  nginx: { skip: withoutNginx || withoutOpenssl, deploy: async (t: Test, port: number) => await deployNginx(t, port) },
  Caddy: { skip: withoutCaddy || withoutOpenssl, deploy: async (t: Test, port: number) => await deployCaddy(t, port) }
}

async function start (t: Test, deploy: (t: Test, port: number) => Promise<DeployedProxy>): Promise<Deployed> {
  const server = await startServer(t, options)
  await server.fastify.wsEvents.set('acme', { enabled: true })
  return { server, proxy: await deploy(t, server.port) }
}

/** Where a client may have its key. The first is the one that no proxy ever sees as a part of a request. */
const CARRIERS: Readonly<Record<string, ClientOptions>> = {
  auth: { auth: { apikey: KEY } },
  query: { query: { apikey: KEY } },
  header: { extraHeaders: { apikey: KEY } },
  bearer: { extraHeaders: { authorization: `Bearer ${KEY}` } }
}

/** As it may be written in a log. */
const SPELLINGS = [KEY, encodeURIComponent(KEY), JSON.stringify(KEY).slice(1, -1), 'a-secret']

/** Of a log, which may not have begun. */
const lines = (file: string): string[] => existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []

/** Resolves to what a log has, as soon as it has so many lines about the engine. */
async function logged (file: string, count: number): Promise<string> {
  await eventually(() => lines(file).filter(line => line.includes('/socket.io/')).length >= count)
  return readFileSync(file, 'utf8')
}

/** A client through a proxy, with its key where it is told. */
async function comeThrough (t: Test, { server: { fastify }, proxy: { url, certificate: { ca } } }: Deployed, transport: Transport, carrier: ClientOptions): Promise<void> {
  const { socket, inbox } = await listen(t, `${url}/acme`, { transports: [transport], ca, ...carrier })
  await fastify.wsEvents.emit('acme', 'call', transport)
  t.strictSame(datas(await inbox.got(1)), [transport])
  const left = disconnected(socket)
  socket.disconnect()
  await left
}

for (const [name, { skip, deploy }] of Object.entries(PROXIES)) {
  t.test(`${name} as documented brings clients of both transports their events, and its logs have no key`, { skip }, async t => {
    const deployed = await start(t, deploy)
    const { proxy } = deployed
    for (const transport of transports) {
      for (const carrier of Object.values(CARRIERS)) await comeThrough(t, deployed, transport, carrier)
    }
    t.equal(await attempt({ url: proxy.url, ca: proxy.certificate.ca }, { apikey: KEY }, ['route']), 'in')
    // A connection is written down when it has ended: a websocket is one, and so is the opening of a poll, and the rest of it.
    const log = await logged(proxy.accessLog, transports.length * Object.keys(CARRIERS).length)
    for (const spelling of SPELLINGS) t.notOk(log.includes(spelling), `no ${spelling}`)
    t.notMatch(log, /EIO=|transport=/, 'nor anything else of a query')
    t.match(log, /127\.0\.0\.1/, 'and has the address')
  })

  t.test(`when the server is gone, ${name} as documented has no key in its logs either`, { skip }, async t => {
    const { server, proxy } = await start(t, deploy)
    await server.fastify.close()
    for (const transport of transports) {
      for (const carrier of Object.values(CARRIERS)) {
        const { word, http } = await outcomeOf(connect(t, `${proxy.url}/acme`, { transports: [transport], ca: proxy.certificate.ca, reconnection: false, ...carrier }))
        t.strictSame([word, http?.status], ['comes back', 502])
      }
    }
    const log = await logged(proxy.accessLog, transports.length * Object.keys(CARRIERS).length)
    const own = readFileSync(proxy.errorLog, 'utf8')
    for (const spelling of SPELLINGS) t.notOk(`${log}${own}`.includes(spelling), `no ${spelling}`)
  })
}

t.test('with the formats that are usual, keys are in the logs of nginx', { skip: PROXIES.nginx.skip }, async t => {
  const deployed = await start(t, async (t, port) => await deployNginx(t, port, { change: text => withValues(text, { 'events.access.log without_query': 'events.access.log combined', 'error.log crit': 'error.log error' }) }))
  const { server: { fastify }, proxy } = deployed
  await comeThrough(t, deployed, 'websocket', CARRIERS.query ?? {})
  t.match(await logged(proxy.accessLog, 1), 'a-secret', 'of every request')
  await fastify.close()
  await outcomeOf(connect(t, `${proxy.url}/acme`, { ca: proxy.certificate.ca, reconnection: false, ...CARRIERS.query }))
  t.match(await logged(proxy.errorLog, 1), 'a-secret', 'and of one that failed')
})

t.test('with its usual format, keys are in the logs of Caddy, but for those that it knows', { skip: PROXIES.Caddy.skip }, async t => {
  const deployed = await start(t, async (t, port) => await deployCaddy(t, port, { change: text => text.replaceAll(/format filter \{[^]*?\n\t\t\}/g, 'format json') }))
  const { server: { fastify }, proxy } = deployed
  const key = async (carrier: string, count: number): Promise<boolean> => {
    await comeThrough(t, deployed, 'websocket', CARRIERS[carrier] ?? {})
    return (await logged(proxy.accessLog, count)).includes('a-secret')
  }
  t.notOk(await key('auth', 1), 'it is no part of a request')
  t.notOk(await key('bearer', 2), 'Caddy knows it')
  t.ok(await key('header', 3))
  await fastify.close()
  await outcomeOf(connect(t, `${proxy.url}/acme`, { ca: proxy.certificate.ca, reconnection: false, ...CARRIERS.query }))
  t.match(await logged(proxy.errorLog, 1), /"uri":"[^"]*a-secret/)
})

t.test('nginx waits for longer than Socket.IO does between two pings', async t => {
  const { fastify: { io } } = await startServer(t)
  const { pingInterval, pingTimeout } = io.engine.opts as { pingInterval: number, pingTimeout: number }
  t.equal(pingInterval + pingTimeout, 45_000, 'as the documents say')
  for (const name of ['proxy_read_timeout', 'proxy_send_timeout']) {
    const seconds = Number(new RegExp(`${name} (\\d+)s;`).exec(nginxDocumented())?.[1])
    t.ok(seconds * 1000 > pingInterval + pingTimeout, `${name}: ${seconds} s`)
  }
})

const packages = ['fastify', 'fastify-ws-events', 'socket.io-client']
const env = { AUTHENTICATION_API_KEY: KEY }

/** Starts a server of the documents with another port. It is asked for until it listens. */
async function startDocumented (t: Test, heading: string, port: number, contents: ReadonlyArray<readonly [string, string]> = []): Promise<void> {
  const [[name, code] = ['', '']] = files(section(DEPLOYMENT, heading))
  const server = new Program(t, process.execPath, [name], { cwd: folder(t, [[name, atPort(code.replace('8443', '8080'), port)], ...contents], packages), env })
  const opened = new Promise(resolve => {
    const socket = connect(t, `${contents.length === 0 ? 'http' : 'https'}://127.0.0.1:${port}/acme`, { rejectUnauthorized: false })
    // Without a key: the answer is that it is refused.
    socket.on('connect_error', error => { if ('data' in error) resolve(error) })
  })
  await Promise.race([opened, server.ended.then(how => { throw new Error(`it has ended: ${how}`) })])
}

/** What the documents have their reader try. A key that is right finds that acme was never set. */
async function checkAsDocumented (t: Test, target: Target): Promise<void> {
  t.equal(await attempt(target, {}), 'UNAUTHORIZED')
  t.equal(await attempt(target, { headers: { 'x-forwarded-for': '127.0.0.1' } }), 'UNAUTHORIZED')
  t.equal(await attempt(target, { apikey: 'wrong' }), 'FORBIDDEN')
  t.equal(await attempt(target, { apikey: KEY }), 'NOT_SET')
}

for (const [name, { skip, deploy }] of Object.entries(PROXIES)) {
  t.test(`the documented server behind ${name} as documented takes nobody without a key`, { skip }, async t => {
    const port = await freePort()
    await startDocumented(t, '## The server behind a proxy', port)
    const { url, certificate: { ca } } = await deploy(t, port)
    await checkAsDocumented(t, { url, ca })
  })
}

t.test('the documented server with TLS and without a proxy takes nobody without a key', { skip: withoutOpenssl }, async t => {
  const { ca, key } = makeCertificate(folder(t, []))
  const port = await freePort()
  await startDocumented(t, '## TLS without a proxy', port, [['privkey.pem', key], ['fullchain.pem', ca]])
  await checkAsDocumented(t, { url: `https://127.0.0.1:${port}`, ca })
})

t.test('every document that SECURITY.md and the one on deployment point to is there', async t => {
  for (const [file, text] of [['SECURITY.md', read('SECURITY.md')], ['docs/deployment.md', DEPLOYMENT]] as const) {
    for (const [, target = ''] of text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      t.ok(existsSync(join(root, dirname(file), target)), `${file}: ${target}`)
    }
  }
})
