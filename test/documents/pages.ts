import Fastify from 'fastify'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Socket } from 'socket.io-client'
import { openPage, startChromium, withoutChromium } from '../helpers/chromium.js'
import { admitted, connect, disconnected, refused } from '../helpers/client.js'
import { atPort, folder } from '../helpers/documents.js'
import { eventually } from '../helpers/latch.js'
import { Program } from '../helpers/program.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { startServer } from '../helpers/server.js'
import { EMITS, KEY, startAcme } from './acme.js'
import { evaluate, Screen } from './evaluate.js'
import { curlStreams, phpStream } from './streams.js'
import { at, closing, compiles, ioOf, next, runs, type Stories } from './story.js'

/** The stories of the pages that a user of the plugin reads beside the README. */
export const PAGES: Readonly<Record<string, Stories>> = {
  'docs/clients.md': {
    '## Node, and pages with a bundler': [runs(async (t, { code }) => {
      const { fastify, url } = await startAcme(t, { apikey: KEY })
      const screen = new Screen()
      const later: Array<[again: () => void, delay: number]> = []
      const { socket } = await evaluate(at(url, code), { io: ioOf(t), console: screen, setTimeout: (...timer: [() => void, number]) => later.push(timer) }, ['socket'])
      await screen.shows('connected')
      const { id } = await fastify.wsEvents.emit('acme', 'messages.upsert', { text: 'hello' })
      await screen.shows(`${id} { text: 'hello' }`)
      await screen.shows('messages.upsert acme')
      // And of a refusal it tells, and tries again.
      const left = disconnected(socket as Socket)
      await fastify.wsEvents.set('acme', { enabled: false })
      await left;
      (socket as Socket).connect()
      await screen.shows(/^FST_ERR_WS_EVENTS_INSTANCE_DISABLED the events of instance "acme" are disabled/)
      t.strictSame(later.map(([, delay]) => delay), [30_000])
      await fastify.wsEvents.set('acme', { enabled: true })
      for (const [again] of later) again()
      await admitted(socket as Socket)
    })],

    '## A page without a bundler': [runs(async (t, { code }) => {
      const { fastify, url } = await startServer(t, { apikey: KEY, defaultConfig: { enabled: true } }, {
        before: server => server.get('/page', async (request, reply) => await reply.type('text/html').send(at(`http://${request.headers.host}`, code)))
      })
      const { page } = await openPage(await startChromium(t), `${url}/page`)
      const said = page.waitForEvent('console', message => message.type() === 'log')
      await eventually(() => fastify.wsEvents.stats().clients.inInstances === 1)
      await fastify.wsEvents.emit('acme', 'messages.upsert', 'hello')
      t.equal((await said).text(), 'hello')
    }, withoutChromium)],

    '## Python': ['test/resume/python.test.ts'],

    '## Filters': [runs(async (t, { code }) => {
      const { fastify, url } = await startAcme(t, { apikey: KEY, globalEvents: true })
      await fastify.wsEvents.set('beta', { enabled: true })
      const opened: Socket[] = []
      await evaluate(at(url, code), { io: ioOf(t, opened) })
      await Promise.all(opened.map(admitted))
      const filters = fastify.wsEvents.clients().map(({ instance, events, instances }) => ({ instance, events: events.length, call: events.includes('call'), instances }))
      const ofAcme = { instance: 'acme', events: 6, call: true, instances: undefined }
      t.same(filters.filter(({ instance }) => instance === 'acme'), [ofAcme, ofAcme], 'both ways to give it')
      t.strictSame(filters.find(({ instance }) => instance === null)?.instances, ['acme', 'beta'])
    }), runs(async (t, { code }) => {
      const { url } = await startAcme(t)
      const socket = await admitted(connect(t, `${url}/acme`))
      const screen = new Screen()
      t.strictSame((await evaluate(code, { socket, console: screen }, ['answer'])).answer, ['call'])
      await evaluate(code.replace("'call'", "'cal'"), { socket, console: screen })
      t.match(screen.lines, [/^FST_ERR_WS_EVENTS_INVALID_FILTER .*call/])
    })],

    '## What clients send': [runs(async (t, { code }) => {
      const { fastify, url } = await startAcme(t)
      await evaluate(code, { fastify, sendMessage: async (...sent: unknown[]) => await Promise.resolve(sent) })
      const socket = await admitted(connect(t, `${url}/acme`))
      t.strictSame(await socket.emitWithAck('sendNode', { to: '1', text: 'hi' }), ['acme', '1', 'hi'])
      t.match(await socket.emitWithAck('sendNode', { to: '1' }), { code: 'FST_ERR_WS_EVENTS_INVALID_DATA' })
    }), runs(async (t, { code }) => {
      const { fastify, url } = await startAcme(t)
      fastify.wsEvents.handle('sendNode', { handler: ({ data }) => data })
      const socket = await admitted(connect(t, `${url}/acme`))
      t.strictSame((await evaluate(code, { socket }, ['answer'])).answer, { to: '5511999999999', text: 'hello' })
    })],

    '## Refusals and passing faults': [runs(async (t, { code }) => {
      const { url } = await startServer(t)
      const { message, ...rest } = await refused(connect(t, `${url}/acme`))
      const { message: documented, ...others } = JSON.parse(code) as { message: string }
      t.strictSame(others, rest)
      t.ok(message.startsWith(documented.replace(/ …$/, '')), message)
    })]
  },

  'docs/http.md': {
    '# Events over HTTP, without Socket.IO': [curlStreams, phpStream]
  },

  'docs/keys.md': {
    '## Keys': [runs(async (t, { code }) => {
      const fastify = closing(t, Fastify())
      const keys = new Map([['key of acme', 'acme']])
      await evaluate(code, { fastify, process: { env: { ADMIN_KEY: 'key of the admin' } }, findInstanceByKey: async (key: string) => await Promise.resolve(keys.get(key)) })
      await fastify.listen({ port: 0, host: '127.0.0.1' })
      const url = `http://127.0.0.1:${(fastify.server.address() as AddressInfo).port}`
      for (const name of ['acme', 'beta']) await fastify.wsEvents.set(name, { enabled: true })
      await admitted(connect(t, `${url}/acme`, { auth: { apikey: 'key of acme' } }))
      await admitted(connect(t, `${url}/beta`, { auth: { apikey: 'key of the admin' } }))
      t.match(await refused(connect(t, `${url}/beta`, { auth: { apikey: 'key of acme' } })), { code: 'FST_ERR_WS_EVENTS_FORBIDDEN' })
      t.match(await refused(connect(t, `${url}/acme`, { auth: { apikey: 'key of nobody' } })), { code: 'FST_ERR_WS_EVENTS_FORBIDDEN' })
    })]
  },

  'docs/resume.md': {
    '## The protocol': ['test/docs.test.ts'],

    '## With the client of this package': ['test/docs.test.ts', runs(async (t, { code }) => {
      const { fastify, port } = await startServer(t, { defaultConfig: { enabled: true } })
      const directory = folder(t, [['restart.mjs', atPort(code, port)]], ['fastify-ws-events', 'socket.io-client'])
      const start = (): Program => new Program(t, process.execPath, ['restart.mjs'], { cwd: directory })
      const first = start()
      await first.whileItRuns(eventually(() => fastify.wsEvents.stats().clients.inInstances === 1))
      const { id } = await fastify.wsEvents.emit('acme', 'call', 1)
      await first.printed(lines => lines.includes('call 1'))
      // It is kept after the line was printed.
      await eventually(() => readFileSync(join(directory, 'acme.id'), 'utf8') === id)
      await first.end()
      await fastify.wsEvents.emit('acme', 'call', 2)
      const second = start()
      await second.printed(lines => lines.length > 0)
      await fastify.wsEvents.emit('acme', 'call', 3)
      await second.printed(lines => lines.includes('call 3'))
      t.strictSame(second.lines, ['call 2', 'call 3'])
    })],

    '## In Python': ['test/resume/python.test.ts']
  },

  'docs/events.md': {
    '## Message': [runs(async (t, { code }) => {
      const { fastify, url } = await startAcme(t, { serverUrl: 'https://api.example.com' })
      const socket = await admitted(connect(t, `${url}/acme`))
      const documented = JSON.parse(code) as { id: string, data: unknown, date_time: string, sender: string }
      const arrived = next(socket, 'messages.upsert')
      await fastify.wsEvents.emit('acme', 'messages.upsert', documented.data, { sender: documented.sender, dateTime: documented.date_time })
      const { id, ...message } = await arrived
      const { id: documentedId, ...rest } = documented
      t.strictSame(Object.entries(message), Object.entries(rest), 'in this order, too')
      t.equal(id.length, documentedId.length)
    })],

    '## Events': [runs(async (t, { code }) => {
      const fastify = closing(t, Fastify())
      await evaluate(code, { fastify })
      await t.rejects(fastify.wsEvents.emit('acme', 'order.paid', { id: 42 }), { code: 'FST_ERR_WS_EVENTS_INVALID_DATA' })
      for (const event of ['order.note', 'ORDER_NOTE', 'messages.upsert']) await t.resolves(fastify.wsEvents.emit('acme', event, 'any'))
    })],

    '## TypeScript': [compiles(EMITS)]
  },

  'docs/socketio.md': {
    '# Your own Socket.IO server': [runs(async (t, { code }) => {
      const fastify = closing(t, Fastify())
      await evaluate(code, { fastify })
      await fastify.listen({ port: 0, host: '127.0.0.1' })
      const url = `http://127.0.0.1:${(fastify.server.address() as AddressInfo).port}`
      await fastify.wsEvents.set('acme', { enabled: true })
      await t.rejects(fastify.wsEvents.set('chat', { enabled: true }), { code: 'FST_ERR_WS_EVENTS_HOST_NAMESPACE' })
      const [chat, acme] = await Promise.all([connect(t, `${url}/chat`), connect(t, `${url}/acme`)].map(admitted))
      const arrived = next(acme as Socket, 'call')
      await fastify.wsEvents.emit('acme', 'call', 1)
      t.equal((await arrived).data, 1)
      await fastify.close()
      t.notOk(chat?.connected)
    })]
  },

  'docs/stores.md': {
    '## The three stores': ['test/docs.test.ts'],

    '## Many nodes': [runs(async (t, { code }) => {
      const redis = await startRedis(t)
      const nodes = await Promise.all([0, 1].map(async () => {
        const fastify = closing(t, Fastify())
        await evaluate(code.replace('redis://localhost', redis.url), { fastify })
        await fastify.listen({ port: 0, host: '127.0.0.1' })
        return fastify
      }))
      const [first, second] = nodes
      if (first === undefined || second === undefined) throw new Error('two nodes were made')
      await first.wsEvents.set('acme', { enabled: true })
      const socket = connect(t, `http://127.0.0.1:${(first.server.address() as AddressInfo).port}/acme`)
      const arrived = next(socket, 'call')
      await admitted(socket)
      await second.wsEvents.emit('acme', 'call', 'from the other node')
      t.equal((await arrived).data, 'from the other node')
    }, withoutRedis)]
  }
}
