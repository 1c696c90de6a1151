import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { Server } from 'socket.io'
import { makeCertificate, withoutOpenssl } from '../access/certificate.js'
import { findProgram } from '../helpers/daemon.js'
import { Curl } from '../helpers/event-stream.js'
import { Program } from '../helpers/program.js'
import { admitted, connect } from '../helpers/client.js'
import { ADDRESSES, type Host, offerOf, RawConnection, sha256, SLOW, startHost } from './helpers/host.js'

const withoutJava: string | false = findProgram('java') === undefined && 'there is no Java: apt-get install default-jdk-headless (Debian), or put java on the PATH'
const http2Curl = spawnSync('curl', ['--version'], { encoding: 'utf8' })
const withoutCurl: string | false = !(http2Curl.stdout ?? '').includes('HTTP2') && 'there is no curl with HTTP/2: apt-get install curl (Debian), or put curl on the PATH'
const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url))
const MEGABYTE = randomBytes(1_000_000)

const got = (method: string, body: string | Buffer, address = '127.0.0.1') => ({ method, length: body.length, sha256: sha256(body), address })

t.test('a request that offers h2c is served once, as the plain request that it also is', async t => {
  const host = await startHost(t)
  for (const address of ADDRESSES) await t.test(`at ${address}`, async t => { await servesRaw(t, host, address) })
})

t.test('and so over TLS', { skip: withoutOpenssl }, async t => {
  for (const http2 of [false, true]) {
    const directory = mkdtempSync(join(tmpdir(), 'h2c-'))
    t.teardown(() => { rmSync(directory, { recursive: true }) })
    const certificate = makeCertificate(directory)
    const host = await startHost(t, { certificate, http2 })
    for (const address of ADDRESSES) await t.test(`at ${address}${http2 ? ' with HTTP/2' : ''}`, async t => { await servesRaw(t, host, address, certificate.ca) })
  }
})

const chunked = (...parts: string[]): string => [...parts, ''].map(part => `${part.length.toString(16)}\r\n${part}\r\n`).join('')

/** Every shape of a request on its own connection; each is called once, with its body. */
async function servesRaw (t: Test, host: Host, address: string, ca?: string): Promise<void> {
  // In parts, each written on its own.
  const requests: Array<readonly [name: string, method: string, body: string, parts: string[]]> = [
    ['GET', 'GET', '', [offerOf('GET', '/host')]],
    ['a GET in parts', 'GET', '', [offerOf('GET', '/host').slice(0, 40), offerOf('GET', '/host').slice(40)]],
    ['PUT with its body', 'PUT', 'hello', [offerOf('PUT', '/host', 'Content-Type: text/x', 'Content-Length: 5') + 'hello']],
    ['a body that comes later', 'POST', 'hello', [offerOf('POST', '/host', 'Content-Type: text/x', 'Content-Length: 5') + 'he', 'llo']],
    ['a chunked body', 'POST', 'hello you', [offerOf('POST', '/host', 'Content-Type: text/x', 'Transfer-Encoding: chunked') + chunked('hello', ' you')]],
    ['a chunked body in parts', 'POST', 'hello you', [offerOf('POST', '/host', 'Content-Type: text/x', 'Transfer-Encoding: chunked') + chunked('hello', ' you').slice(0, 7), chunked('hello', ' you').slice(7)]],
    ['an empty chunked body', 'POST', '', [offerOf('POST', '/host', 'Content-Type: text/x', 'Transfer-Encoding: chunked') + chunked()]],
    ['an empty body', 'POST', '', [offerOf('POST', '/host', 'Content-Length: 0')]],
    ['a body that waits for 100 Continue', 'POST', 'hello', [offerOf('POST', '/host', 'Content-Type: text/x', 'Content-Length: 5', 'Expect: 100-continue'), 'hello']],
    ['another spelling', 'GET', '', [offerOf('GET', '/host').replace('Upgrade: h2c', 'uPGRADE: H2C')]]
  ]
  for (const [name, method, body, parts] of requests) {
    const before = host.calls.length
    const raw = new RawConnection(t, host.port, { host: address, ca })
    for (const part of parts) await new Promise(resolve => { raw.socket.write(part, 'latin1', resolve) })
    const [answer] = await raw.answers(1)
    t.equal(answer?.status, 200, name)
    const { address: client, ...rest } = answer?.body as ReturnType<typeof got>
    const { address: same, ...expected } = got(method, body)
    t.strictSame(rest, expected, name)
    t.ok(client.startsWith('127.0.0.'), `${name}: the route knows the client's address`)
    t.equal(host.calls.length, before + 1, `${name}: once`)
  }
  await t.test('requests on one connection, pipelined and one after the other', async t => {
    const raw = new RawConnection(t, host.port, { host: address, ca })
    const two = offerOf('GET', '/host') + offerOf('PUT', '/host?second').replace('AAMAAABkAAQCAAAAAAIAAAAA', 'AA')
    raw.socket.write(two)
    await raw.answers(2)
    const warnings: Error[] = []
    const warned = (warning: Error) => { warnings.push(warning) }
    process.on('warning', warned)
    for (let count = 3; count < 30; count++) {
      raw.socket.write(count % 2 === 0 ? offerOf('GET', '/host') : 'GET /host HTTP/1.1\r\nHost: localhost\r\n\r\n')
      await raw.answers(count)
    }
    process.off('warning', warned)
    t.strictSame(warnings, [], 'nothing piles up on the socket')
    t.strictSame((await raw.answers(29)).map(({ status }) => status), Array.from({ length: 29 }, () => 200))
  })
}

t.test('a route may take three seconds', async t => {
  const host = await startHost(t)
  await Promise.all(ADDRESSES.flatMap(address => ['GET', 'POST'].map(async method => {
    const raw = new RawConnection(t, host.port, { host: address })
    const started = Date.now()
    raw.socket.write(method === 'GET' ? offerOf('GET', '/host/slow') : `${offerOf('POST', '/host/slow', 'Content-Type: text/x', 'Content-Length: 5')}hello`)
    const [answer] = await raw.answers(1)
    t.equal(answer?.status, 200, `${method} at ${address}`)
    t.ok(Date.now() - started >= SLOW - 10)
  })))
  t.equal(host.calls.length, 4, 'each once')
})

t.test('our own routes and Socket.IO by polling are served too', async t => {
  const { fastify, port } = await startHost(t)
  for (const [at, host] of ADDRESSES.entries()) {
    const raw = new RawConnection(t, port, { host })
    const config = '{"enabled":true}'
    raw.socket.write(`${offerOf('PUT', `/instance/acme${at}/websocket`, 'Content-Type: application/json', `Content-Length: ${config.length}`)}${config}`)
    t.equal((await raw.answers(1))[0]?.status, 201)
    const client = connect(t, `http://${host}:${port}/acme${at}`, { transports: ['polling'], extraHeaders: { connection: 'Upgrade', upgrade: 'h2c' } })
    await admitted(client)
    const message = new Promise(resolve => { client.once('call', resolve) })
    await fastify.wsEvents.emit(`acme${at}`, 'call', 1)
    t.match(await message, { data: 1 })
  }
})

t.test("with the host's own Server", async t => {
  for (const destroyUpgrade of [true, false]) {
    const host = await startHost(t, {
      before: fastify => {
        const io = new Server(fastify.server, { destroyUpgrade })
        fastify.decorate('io', io as never)
        fastify.addHook('preClose', async () => { io.engine.close() })
      }
    })
    for (const address of ADDRESSES) await servesRaw(t, host, address)
    const raw = new RawConnection(t, host.port)
    raw.socket.write(offerOf('GET', '/host/slow'))
    t.equal((await raw.answers(1))[0]?.status, 200, 'also by a route that takes three seconds')
  }
})

t.test('curl --http2', { skip: withoutCurl }, async t => {
  const host = await startHost(t)
  const url = `http://127.0.0.1:${host.port}`
  const ask = async (...args: string[]): Promise<string[]> => {
    const program = new Program(t, 'curl', ['--http2', '--silent', '--show-error', '--max-time', '20', ...args], { cwd: FIXTURES })
    t.equal(await program.ended, 0, args.join(' ').slice(0, 100))
    return program.lines
  }
  const body = await ask('-d', 'hello', '-H', 'Content-Type: text/x', `${url}/host`)
  t.strictSame(JSON.parse(body.join('')), got('POST', 'hello'))
  t.strictSame(JSON.parse((await ask(`${url}/host`)).join('')), got('GET', ''))
  t.strictSame(JSON.parse((await ask('-X', 'PUT', '-d', 'x'.repeat(100_000), '-H', 'Content-Type: text/x', '-H', 'Expect: 100-continue', `${url}/host`)).join('')), got('PUT', 'x'.repeat(100_000)))
  t.strictSame(JSON.parse((await ask('-X', 'POST', '-d', 'hello', '-H', 'Content-Type: text/x', '-H', 'Transfer-Encoding: chunked', `${url}/host`)).join('')), got('POST', 'hello'))
  t.strictSame(JSON.parse((await ask(`${url}/host/slow`)).join('')), got('GET', ''))
  t.equal((await ask('-w', '%{num_connects}\\n', '-o', '/dev/null', '-o', '/dev/null', `${url}/host`, `${url}/host`)).join(), '1,0', 'two requests on one connection')
  const stream = new Curl(t, `${url}/instance/acme/events`, ['--http2'])
  await stream.ready()
  await host.fastify.wsEvents.emit('acme', 'call', 7)
  t.match((await stream.got(1))[0], { data: 7 })
})

t.test("Java's HttpClient as it is", { skip: withoutJava }, async t => {
  const host = await startHost(t)
  const program = new Program(t, 'java', ['-XX:TieredStopAtLevel=1', 'PlainClient.java', `http://127.0.0.1:${host.port}`], { cwd: FIXTURES })
  t.equal(await program.ended, 0, program.lines.join('\n'))
  const megabyte = Buffer.alloc(1_000_000, 'x')
  const expected = [
    ['get', got('GET', '')], ['put', got('PUT', 'hello')], ['post', got('POST', 'hello')], ['chunked', got('POST', 'hello you')],
    ['large', got('POST', megabyte)], ['large chunked', got('POST', megabyte)], ['continue', got('POST', 'hello')], ['slow', got('GET', '')], ['again', got('GET', '')]
  ]
  t.strictSame(program.lines.slice(0, expected.length).map(line => line.split('\t')).map(([name, status, body]) => [name, status, JSON.parse(body ?? '')]), expected.map(([name, body]) => [name, '200', body]))
  t.equal(host.calls.length, expected.length, 'each once')
  t.strictSame(program.lines.slice(expected.length), ['config\t201', 'stream\tevent: ws.ready'])
})

t.test('a body of a megabyte, at both addresses', async t => {
  const host = await startHost(t)
  for (const address of ADDRESSES) {
    const raw = new RawConnection(t, host.port, { host: address })
    raw.socket.write(offerOf('POST', '/host', 'Content-Type: text/x', `Content-Length: ${MEGABYTE.length}`))
    raw.socket.write(MEGABYTE)
    const [answer] = await raw.answers(1)
    t.match(answer?.body, { length: MEGABYTE.length, sha256: sha256(MEGABYTE) })
  }
  t.equal(host.calls.length, 2)
})
