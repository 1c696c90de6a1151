import rateLimit from '@fastify/rate-limit'
import Fastify, { type FastifyInstance } from 'fastify'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import wsEvents, { type WsEventsOptions } from '../lib/index.js'
import { listen } from './helpers/client.js'
import { block, read, section } from './helpers/documents.js'

const DOCUMENT = section(read('docs/rate-limits.md'), '## Routes')
const KEY = 'the-key-of-the-admin'

type Program = (fastify: FastifyInstance, rateLimitPlugin: typeof rateLimit, wsEventsPlugin: unknown, process: { env: Record<string, string> }) => Promise<void>

/** The program of the document, but for its imports, with a key that opens everything. */
async function started (t: Test): Promise<{ fastify: FastifyInstance, url: string }> {
  const code = block(DOCUMENT, 'js').replace(/^import .*$/gm, '').replace('const fastify = Fastify()', '')
  const AsyncFunction = (async () => {}).constructor as new (...names: string[]) => Program
  const fastify = Fastify()
  t.teardown(async () => { await fastify.close() })
  const withoutEnvironment = Object.assign(async (instance: FastifyInstance, options: WsEventsOptions) => { await wsEvents(instance, { env: false, ...options }) }, { [Symbol.for('skip-override')]: true })
  await new AsyncFunction('fastify', 'rateLimit', 'wsEvents', 'process', code)(fastify, rateLimit, withoutEnvironment, { env: { ADMIN_KEY: KEY } })
  fastify.get('/mine', () => 'mine')
  await fastify.listen({ port: 0, host: '127.0.0.1' })
  return { fastify, url: `http://127.0.0.1:${(fastify.server.address() as AddressInfo).port}` }
}

t.test('as the document says, tries of keys are bounded, and nothing else is', async t => {
  const { fastify, url } = await started(t)
  const get = async (path: string, apikey: string) => await fetch(url + path, { headers: { apikey } })
  await fastify.wsEvents.set('acme', { enabled: true })
  for (let attempt = 1; attempt <= 60; attempt++) {
    const { status } = await get('/instance/acme/websocket', `wrong-key-${attempt}`)
    if (status !== 403) t.equal(status, 403, `attempt ${attempt}`)
  }
  const refused = await get('/instance/acme/websocket', KEY)
  t.equal(refused.status, 429, 'also with the right key, which would tell that it is the right one')
  t.ok(refused.headers.get('retry-after'))
  t.equal((await get('/mine', '')).status, 200)

  const { inbox } = await listen(t, `${url}/acme`, { transports: ['polling'], auth: { apikey: KEY } })
  for (let number = 0; number < 100; number++) {
    await fastify.wsEvents.emit('acme', 'call', number)
    await inbox.got(number + 1)
  }
  t.equal(inbox.messages.length, 100, 'a hundred polls later')
})

t.test('and with its global hook they are not, as the document says too', async t => {
  const fastify = Fastify()
  t.teardown(async () => { await fastify.close() })
  await fastify.register(rateLimit, { max: 3 })
  await fastify.register(wsEvents, { env: false, apikey: KEY })
  for (let attempt = 0; attempt < 10; attempt++) {
    t.equal((await fastify.inject({ url: '/instance/acme/websocket', headers: { apikey: 'wrong-key' } })).statusCode, 403)
  }
})
