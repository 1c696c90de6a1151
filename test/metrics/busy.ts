import { Registry } from 'prom-client'
import type { Test } from 'tap'
import type { WsEventsOptions } from '../../lib/index.js'
import { admitted, connect, Inbox, listen, refused } from '../helpers/client.js'
import { eventually } from '../helpers/latch.js'
import { startNetwork } from '../helpers/network.js'
import { resume } from '../helpers/resume.js'
import { startServer, type TestServer } from '../helpers/server.js'

export const KEY = 'a-key-for-everything'
const auth = { apikey: KEY }

export interface Measured extends TestServer {
  readonly registry: Registry
  /** The text that Prometheus gets over HTTP. */
  readonly scrape: () => Promise<string>
}

/** A server in global mode with metrics at `/metrics`, as docs/metrics.md has it. */
export async function startMeasured (t: Test, options: WsEventsOptions = {}): Promise<Measured> {
  const registry = new Registry()
  const server = await startServer(t, { globalEvents: true, apikey: KEY, metrics: { registry }, ...options }, {
    before: fastify => {
      fastify.get('/metrics', async (request, reply) => {
        void reply.type(registry.contentType)
        return await registry.metrics()
      })
    }
  })
  const scrape = async (): Promise<string> => {
    const answer = await fetch(`${server.url}/metrics`)
    if (!answer.ok) throw new Error(await answer.text())
    return await answer.text()
  }
  return { ...server, registry, scrape }
}

/** Something of everything that is counted. Resolves when it has happened; two clients stay, one at the root. */
export async function keepBusy (t: Test, { fastify: { wsEvents }, url, port }: TestServer): Promise<void> {
  await wsEvents.set('acme', { enabled: true, events: ['CALL'] })
  await wsEvents.set('off', { enabled: false })
  wsEvents.handle('ping', { handler: () => 'pong' })
  const root = await listen(t, url, { auth })
  const acme = await resume(t, `${url}/acme`, '', { auth })
  const { id: first } = await wsEvents.emit('acme', 'call', 'first')
  for (const [instance, event] of [['acme', 'call'], ['acme', 'CALL'], ['acme', 'chats.set'], ['nobody', 'call'], ['off', 'call']] as const) void wsEvents.emit(instance, event, 1)
  await root.inbox.got(6)
  await acme.inbox.got(3)
  for (const [instance, event] of [['acme', 'cal'], ['', 'call']] as const) await wsEvents.emit(instance, event, 1).catch(() => {})

  await refused(connect(t, `${url}/acme`, { auth: { apikey: 'another-key' } }))
  await refused(connect(t, `${url}/acme`))
  await refused(connect(t, `${url}/never`, { auth }))
  for (const lastEventId of [first, 'no id']) {
    const { socket, inbox, ready } = await resume(t, `${url}/acme`, lastEventId, { auth })
    if (ready.recovered === true) await inbox.got(2)
    socket.disconnect()
  }
  await acme.socket.emitWithAck('ping')
  acme.socket.emit('what nobody handles')
  await eventually(() => wsEvents.stats().clients.received.dropped === 1 && wsEvents.stats().clients.inInstances === 1)
  await stall(t, { url, port, wsEvents })
}

/** One client reads nothing until its connection is ended. */
async function stall (t: Test, { port, wsEvents }: Pick<TestServer, 'url' | 'port'> & Pick<TestServer['fastify'], 'wsEvents'>): Promise<void> {
  const network = await startNetwork(t, port)
  const socket = connect(t, `${network.url}/acme`, { auth, reconnection: false })
  await admitted(socket)
  const others = new Inbox(await admitted(connect(t, `http://127.0.0.1:${port}/acme`, { auth })))
  network.stall()
  for (let sent = 1; wsEvents.stats().delivery.slowConsumers === 0; sent++) {
    await wsEvents.emit('acme', 'call', 'x'.repeat(200_000))
    await others.got(sent)
  }
  network.flow()
  await eventually(() => wsEvents.stats().clients.inInstances === 2)
}
