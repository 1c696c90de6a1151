import Fastify, { type FastifyInstance } from 'fastify'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import { openPage, startChromium, withoutChromium } from '../helpers/chromium.js'
import { type Scope, startServer } from '../helpers/server.js'

// A page as it may have been written years ago: Socket.IO's own script, a namespace, and a handler.
const html = (server: string): string => `<!doctype html><title>page</title>
<script src="${server}/socket.io/socket.io.min.js"></script>
<script>
  var calls = [], recovered = []
  const socket = io('${server}/acme', { auth: { apikey: 'key' }, reconnectionDelay: 20, reconnectionDelayMax: 200 })
  socket.on('connect', () => { recovered.push(socket.recovered) })
  socket.on('call', (message) => { calls.push(message.data) })
</script>`

interface Seen { readonly calls: number[], readonly recovered: boolean[] }

/** Resolves when the page has had an event. */
async function saw (page: Page, call: number): Promise<Seen> {
  await page.waitForFunction(call => (globalThis as unknown as Seen).calls.includes(call), call)
  return await page.evaluate('({ calls, recovered })')
}

const serve = (fastify: FastifyInstance, server: string): void => {
  fastify.get('/page', async (request, reply) => { await reply.type('text/html').send(html(server)) })
}

/** A page of another origin. */
async function startElsewhere (t: Scope): Promise<{ url: string, tell: (server: string) => void }> {
  const fastify = Fastify({ forceCloseConnections: true })
  let server = ''
  fastify.get('/page', async (request, reply) => { await reply.type('text/html').send(html(server)) })
  t.teardown(async () => { await fastify.close() })
  await fastify.listen({ port: 0, host: '127.0.0.1' })
  return { url: `http://127.0.0.1:${(fastify.server.address() as AddressInfo).port}`, tell: url => { server = url } }
}

t.setTimeout(240_000)

t.test('an old page in Chromium loses nothing over a restart of the server, on the same origin and on another', { skip: withoutChromium }, async t => {
  const elsewhere = await startElsewhere(t)
  const browser: Browser = await startChromium(t)
  const options = { store: `lmdb:${t.testdir()}`, apikey: 'key', stockResume: 'browsers', cors: elsewhere.url, defaultConfig: { enabled: true } } as const
  const start = async (port = 0, missed: readonly number[] = []) => await startServer(t, options, {
    port,
    fastify: { forceCloseConnections: true },
    after: async fastify => {
      serve(fastify, '')
      for (const number of missed) await fastify.wsEvents.emit('acme', 'call', number)
    }
  })
  const first = await start()
  elsewhere.tell(first.url)
  // Requests fail while the server is away.
  const pages = await Promise.all([first.url, elsewhere.url].map(async url => (await openPage(browser, `${url}/page`, {}, /./)).page))
  for (const page of pages) await page.waitForFunction('recovered.length === 1')
  for (let number = 0; number < 10; number++) await first.fastify.wsEvents.emit('acme', 'call', number)
  for (const page of pages) await saw(page, 9)
  await first.fastify.close()
  const second = await start(first.port, [10, 11, 12, 13, 14])
  for (const page of pages) await page.waitForFunction('recovered.length >= 2')
  for (let number = 15; number < 20; number++) await second.fastify.wsEvents.emit('acme', 'call', number)
  for (const page of pages) {
    const { calls, recovered } = await saw(page, 19)
    t.strictSame(calls, Array.from({ length: 20 }, (empty, at) => at))
    t.strictSame(recovered, [false, true])
    await page.close()
  }
})
