import Fastify from 'fastify'
import type { AddressInfo } from 'node:net'
import type { Socket } from 'socket.io-client'
import { admitted, connect, refused } from '../helpers/client.js'
import { nginxDirectory, startNginx, withoutNginx } from '../helpers/nginx.js'
import { freePort } from '../helpers/program.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { startServer } from '../helpers/server.js'
import { EMITS, KEY, startAcme } from './acme.js'
import { evaluate } from './evaluate.js'
import { curls } from './shell.js'
import { closing, commands, compiles, next, runs, type Stories } from './story.js'

/** What the examples of testing say behind their lines, compared with what they give. */
function withClaims (code: string): string {
  return code.replaceAll(/^(?:const \[message\] = )?(await .*?) +\/\/ (.*)$/gm, (line, expression: string, claim: string) => {
    if (claim.startsWith('message.data is ')) return `${line.split(' //')[0]}\nsame(message.data, ${claim.slice('message.data is '.length)})`
    return /^\d+$/.test(claim) ? `same((${expression}).statusCode, ${claim})` : `same(${expression}, ${claim})`
  })
}

export const README: Stories = {
  '## Quick start': [commands, 'test/docs.test.ts', 'test/docs.test.ts'],

  '## Try it': ['test/bin/demo.test.ts', 'test/bin/demo.test.ts'],

  '### In this repository': [commands],

  '### Metrics, tracing and logs': [runs(async (t, { code }) => {
    const fastify = closing(t, Fastify())
    await evaluate(code, { fastify })
    t.match((await fastify.inject('/metrics')).body, /^ws_events_\w+/m)
  })],

  '## Routes': [runs(async (t, { code }) => {
    const { url } = await startServer(t, { apikey: 'YOUR_KEY' })
    await curls(t, code, { 'http://localhost:8080': url })
  })],

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

  '## Stores': ['test/docs.test.ts'],

  '### Many nodes': [runs(async (t, { code }) => {
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
  }, withoutRedis)],

  '## TypeScript': [compiles(EMITS), compiles(EMITS)],

  '## Monitor': [runs(async (t, { code }) => {
    const fastify = closing(t, Fastify())
    await evaluate(`await fastify.register(wsEvents)\n${code}`, { fastify })
    t.match(await fastify.inject('/monitor/'), { statusCode: 200, headers: { 'content-type': /^text\/html/ } })
  })],

  '### Behind a proxy': [runs(async (t, { code }) => {
    const { fastify, port } = await startAcme(t, { trustProxy: '127.0.0.1', apikey: KEY })
    const listens = await freePort()
    await startNginx(t, nginxDirectory(t), code.replace('server {', `server {\n  listen 127.0.0.1:${listens};`).replace('127.0.0.1:8080', `127.0.0.1:${port}`), listens)
    for (const transport of ['websocket', 'polling'] as const) {
      const socket = connect(t, `http://127.0.0.1:${listens}/acme`, { transports: [transport], auth: { apikey: KEY } })
      const arrived = next(socket, 'call')
      await admitted(socket)
      await fastify.wsEvents.emit('acme', 'call', transport)
      t.equal((await arrived).data, transport)
    }
    t.match(await refused(connect(t, `http://127.0.0.1:${listens}/acme`)), { code: 'FST_ERR_WS_EVENTS_UNAUTHORIZED' })
  }, withoutNginx)],

  '## Your own Socket.IO server': [runs(async (t, { code }) => {
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
  })],

  '## Testing your application': [runs(async (t, { code }) => {
    await evaluate(withClaims(code), { same: (found: unknown, wanted: unknown) => { t.strictSame(typeof found === 'object' ? { ...found } : found, wanted) } })
  }), runs(async (t, { code }) => {
    await evaluate(withClaims(code), { same: (found: unknown, wanted: unknown) => { t.strictSame(found, wanted) } })
  })]
}
