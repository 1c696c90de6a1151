import { build } from 'esbuild'
import type { FastifyInstance } from 'fastify'
import fastifySocketIO from 'fastify-socket.io'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Server } from 'socket.io'
import type { Socket } from 'socket.io-client'
import t, { type Test } from 'tap'
import type { Closed, Order, Owner } from './fixtures/closing-server.js'
import { Inbox, type Transport, admitted, connect, disconnected, listen, transports } from './helpers/client.js'
import { PREFIX } from './helpers/outcome.js'
import { IN_FULL, sampleOf } from './helpers/sample.js'
import { startServer } from './helpers/server.js'

/** A crowd in test/long. */
const CLIENTS = IN_FULL ? 200 : 30
const EVENTS = 20
/** Well before what a `close()` that waited for a client or for `verify` would take, 10 s and more, in ms. */
const SOON = 8000
const OWNERS: readonly Owner[] = ['the plugin', 'fastify-socket.io of the host', 'a Server of the host']

interface Child {
  readonly port: number
  /** Resolves to the next that it says. */
  next<Message>(): Promise<Message>
  /** Tells the server to emit so many events and to close; resolves to what it says of that. */
  close (events: number): Promise<Closed>
  /** The exit code, and the signal that ended it. */
  readonly exited: Promise<[number | null, string | null]>
}

/** As one file in plain JavaScript, which is loaded in a fraction of the time. */
const program = bundled()

async function bundled (): Promise<string> {
  const within = fileURLToPath(new URL('../.tap/fixtures/', import.meta.url))
  mkdirSync(within, { recursive: true })
  const directory = mkdtempSync(join(within, 'closing-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const [entry, outfile] = [fileURLToPath(new URL('fixtures/closing-server.ts', import.meta.url)), join(directory, 'server.mjs')]
  await build({ entryPoints: [entry], outfile, bundle: true, packages: 'external', platform: 'node', format: 'esm', target: 'node20' })
  return outfile
}

/** The server in a process of its own, which nobody ends but itself. */
async function startChild (t: Test, order: Order): Promise<Child> {
  const child = spawn(process.execPath, [await program, JSON.stringify(order)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  t.teardown(() => { if (child.exitCode === null) child.kill('SIGKILL') })
  const exited = once(child, 'exit') as Child['exited']
  const { port } = await nextMessage<{ port: number }>(child, exited)
  return {
    port,
    exited,
    next: async () => await nextMessage(child, exited),
    close: async events => {
      child.send(events)
      return await nextMessage<Closed>(child, exited)
    }
  }
}

async function nextMessage<Message> (child: ChildProcess, exited: Child['exited']): Promise<Message> {
  const [message] = await Promise.race([once(child, 'message'), exited.then(([code]) => { throw new Error(`the server ended with ${code}`) })])
  return message as Message
}

const clientsOf = (t: Test, url: string, transport: Transport, count: number): Socket[] =>
  Array.from({ length: count }, () => connect(t, url, { transports: [transport], auth: { apikey: 'key' }, reconnectionDelay: 50, reconnectionDelayMax: 1000 }))

for (const [turn, owner] of OWNERS.entries()) {
  for (const transport of sampleOf(transports, transports.length, turn)) {
    t.test(`close() with ${CLIENTS} clients over ${transport} on the server of ${owner} ends at once, the process by itself, and the clients come back`, async t => {
      const order: Order = { owner, port: 0, options: { apikey: 'key' } }
      const child = await startChild(t, order)
      const sockets = clientsOf(t, `http://127.0.0.1:${child.port}/acme`, transport, CLIENTS)
      const inboxes = sockets.map(socket => new Inbox(socket))
      await Promise.all(sockets.map(admitted))
      const ended = Promise.all(sockets.map(disconnected))
      const closed = await child.close(EVENTS)
      t.ok(closed.ms < SOON, `close() took ${Math.round(closed.ms)} ms`)
      t.strictSame(await child.exited, [0, null], 'the process has ended by itself')
      t.equal(closed.timers, 0, 'no timer was left')
      const code = `${PREFIX}CLOSED`
      t.strictSame(closed.codes, { emit: code, set: code, remove: code, 'close again': null })
      t.strictSame(new Set((await ended).map(reason => reason.replace(/error$/, 'close'))), new Set(['transport close']), 'the transport was ended')
      t.equal(sockets.filter(({ active }) => active).length, CLIENTS, 'after which stock clients come back')
      const expected = Array.from({ length: EVENTS }, (_, index) => index).join()
      t.equal(inboxes.filter(({ messages }) => messages.map(({ data }) => data).join() === expected).length, CLIENTS, 'what was emitted right before has arrived')

      if (owner !== 'the plugin') return
      const back = Promise.all(sockets.map(async socket => {
        if (!socket.connected) await new Promise<void>(resolve => { socket.once('connect', resolve) })
      }))
      const next = await startChild(t, { ...order, port: child.port })
      await back
      t.ok((await next.close(0)).ms < SOON, 'and the next one closes as well')
      t.strictSame(await next.exited, [0, null])
    })
  }
}

for (const transport of transports) {
  t.test(`close() while clients connect and are checked over ${transport} ends at once`, async t => {
    const child = await startChild(t, { owner: 'the plugin', port: 0, options: { apikey: 'key' } })
    const sockets = clientsOf(t, `http://127.0.0.1:${child.port}/acme`, transport, CLIENTS)
    // One is in; of the others, some are anywhere on their way.
    await Promise.race(sockets.map(admitted))
    const closed = await child.close(0)
    t.ok(closed.ms < SOON, `close() took ${Math.round(closed.ms)} ms`)
    t.strictSame(await child.exited, [0, null])
  })
}

t.test('close() does not wait for a check of a key that never ends, and leaves no timer of it', async t => {
  const child = await startChild(t, { owner: 'the plugin', port: 0, options: {}, stuck: true })
  const asked = child.next<string>()
  const [socket] = clientsOf(t, `http://127.0.0.1:${child.port}/acme`, 'websocket', 1)
  t.equal(await asked, 'asked')
  const ended = new Promise<string>(resolve => { socket?.io.once('close', resolve) })
  const closed = await child.close(0)
  t.ok(closed.ms < SOON, `close() took ${Math.round(closed.ms)} ms`)
  t.match(await ended, /^transport (close|error)$/)
  t.equal(socket?.active, true)
  t.equal(closed.timers, 0)
  t.strictSame(await child.exited, [0, null])
})

t.test('close() does not wait for a polling client that does not poll', async t => {
  const { fastify, url } = await startServer(t)
  await (await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).text()
  const start = performance.now()
  await fastify.close()
  const ms = performance.now() - start
  t.ok(ms < SOON, `close() took ${Math.round(ms)} ms`)
})

for (const [owner, before] of Object.entries({
  'the plugin': () => {},
  'fastify-socket.io of the host': async (fastify: FastifyInstance) => { await fastify.register(fastifySocketIO.default as never) },
  'a Server of the host': (fastify: FastifyInstance) => { fastify.decorate('io', new Server(fastify.server) as never) }
})) {
  for (const transport of transports) {
    t.test(`in global mode clients of the root over ${transport} come back too, on the server of ${owner}`, async t => {
      const { fastify, url } = await startServer(t, { globalEvents: true }, { before })
      const { socket, inbox } = await listen(t, url, { transports: [transport] })
      const ended = disconnected(socket)
      void fastify.wsEvents.emit('acme', 'call', 'last words')
      await fastify.close()
      t.match(await ended, /^transport (close|error)$/)
      t.ok(socket.active)
      t.strictSame(inbox.messages.map(({ data }) => data), ['last words'])
    })
  }
}

t.test('with nobody there, and without a Socket.IO server, close() ends too, once and again', async t => {
  for (const options of [{}, { enabled: false }, { globalEvents: true }]) {
    const { fastify } = await startServer(t, options)
    await fastify.close()
    await fastify.close()
    await t.rejects(fastify.wsEvents.emit('acme', 'call', {}), { code: `${PREFIX}CLOSED`, statusCode: 503 })
    await t.rejects(fastify.wsEvents.set('acme', { enabled: true }), { code: `${PREFIX}CLOSED` })
    await t.rejects(fastify.wsEvents.remove('acme'), { code: `${PREFIX}CLOSED` })
  }
})
