import Fastify from 'fastify'
import { admitted, connect, refused } from '../helpers/client.js'
import { nginxDirectory, startNginx, withoutNginx } from '../helpers/nginx.js'
import { freePort } from '../helpers/program.js'
import { startServer } from '../helpers/server.js'
import { KEY, startAcme } from './acme.js'
import { evaluate } from './evaluate.js'
import { curls } from './shell.js'
import { closing, commands, next, runs, type Stories } from './story.js'

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

  '## Testing your application': [runs(async (t, { code }) => {
    await evaluate(withClaims(code), { same: (found: unknown, wanted: unknown) => { t.strictSame(typeof found === 'object' ? { ...found } : found, wanted) } })
  }), runs(async (t, { code }) => {
    await evaluate(withClaims(code), { same: (found: unknown, wanted: unknown) => { t.strictSame(found, wanted) } })
  })]
}
