import Fastify from 'fastify'
import { evolutionEvents, Type } from '../../lib/index.js'
import { startServer } from '../helpers/server.js'
import { EMITS } from './acme.js'
import { evaluate } from './evaluate.js'
import { curls } from './shell.js'
import { closing, commands, compiles, runs, type Stories } from './story.js'

/** What the examples of testing say behind their lines, compared with what they give. */
function withClaims (code: string): string {
  return code.replaceAll(/^(await .*?) +\/\/ (.*)$/gm, (line, expression: string, claim: string) =>
    /^\d+$/.test(claim) ? `same((${expression}).statusCode, ${claim})` : `same(${expression}, ${claim})`)
}

export const README: Stories = {
  '## Install': [commands],
  '## Quick start': ['test/docs.test.ts', 'test/docs.test.ts'],

  '## Try it': ['test/bin/demo.test.ts', 'test/bin/demo.test.ts'],

  '## Tenants with keys': ['test/docs.test.ts', 'test/docs.test.ts', 'test/docs.test.ts'],

  '## Your own events, with types': [compiles(EMITS), runs(async (t, { code }) => {
    const fastify = closing(t, Fastify())
    const events = { ...evolutionEvents, 'order.paid': Type.Object({ id: Type.String() }) }
    await evaluate(code, { fastify, events })
    await t.rejects(fastify.wsEvents.emit('acme', 'order.paid', { id: 42 }), { code: 'FST_ERR_WS_EVENTS_INVALID_DATA' })
    await t.rejects(fastify.wsEvents.emit('acme', 'order.payed', { id: '42' }), { code: 'FST_ERR_WS_EVENTS_UNKNOWN_EVENT' })
  })],

  '## Resume': ['test/docs.test.ts'],

  '## Routes': [runs(async (t, { code }) => {
    const { url } = await startServer(t, { apikey: 'YOUR_KEY' })
    await curls(t, code, { 'http://localhost:8080': url })
  })],

  '## Monitor': [runs(async (t, { code }) => {
    const fastify = closing(t, Fastify())
    await evaluate(`await fastify.register(wsEvents)\n${code}`, { fastify })
    t.match(await fastify.inject('/monitor/'), { statusCode: 200, headers: { 'content-type': /^text\/html/ } })
  })],

  '## Testing your application': [runs(async (t, { code }) => {
    await evaluate(withClaims(code), { same: (found: unknown, wanted: unknown) => { t.strictSame(typeof found === 'object' ? { ...found } : found, wanted) } })
  })],

  '## Contributing, security and license': [commands]
}
