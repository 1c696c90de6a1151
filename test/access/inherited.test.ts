import t, { type Test } from 'tap'
import type { WsEventsOptions } from '../../lib/index.js'
import { listen } from '../helpers/client.js'
import { EventStream } from '../helpers/event-stream.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { datas } from '../helpers/resume.js'
import { startServer } from '../helpers/server.js'

// A name that is removed and set again: the root's history has copies of the former instance's events, which are
// nothing to the new owner of the name.

const GLOBAL = 'the-global-key'
const LIMITED = 'key-of-acme'

const STORES: Record<string, { readonly skip?: boolean | string, store (t: Test): Promise<string> }> = {
  memory: { store: async () => 'memory:' },
  lmdb: { store: async t => `lmdb:${t.testdir()}` },
  redis: { skip: withoutRedis, store: async t => (await startRedis(t)).url }
}

const optionsOf = (store: string): WsEventsOptions => ({
  store,
  globalEvents: true,
  apikey: GLOBAL,
  verify: ({ apikey, instance }) => apikey === LIMITED && (instance === null ? { instances: ['acme'] } : instance === 'acme')
})

/** What a key is given of the root's history, by each way to read it. */
async function readAll (t: Test, url: string, apikey: string, after: string): Promise<Record<string, unknown[]>> {
  const page = await (await fetch(`${url}/events?after=${after}&limit=1000`, { headers: { apikey, accept: 'application/json' } })).json() as { events: Array<{ data: unknown }> }
  const stream = await EventStream.open(t, `${url}/events`, { apikey, 'last-event-id': after })
  const { inbox } = await listen(t, url, { auth: { apikey, lastEventId: after } })
  const isNewest = ({ data }: { data: unknown }): boolean => data === 'of the new one, last'
  await inbox.got(isNewest)
  await stream.until(() => stream.messages.some(isNewest))
  return { page: page.events.map(({ data }) => data), stream: stream.messages.map(({ data }) => data), socket: datas(inbox.messages) }
}

for (const [name, { skip = false, store: open }] of Object.entries(STORES)) {
  t.test(`a key that is limited to a name is given nothing of the former instance of that name (${name})`, { skip }, async t => {
    const store = await open(t)
    const server = await startServer(t, optionsOf(store))
    const { wsEvents } = server.fastify
    await wsEvents.set('acme', { enabled: true })
    await wsEvents.set('other', { enabled: true })
    const watching = await listen(t, server.url, { auth: { apikey: GLOBAL } })
    await wsEvents.emit('acme', 'call', 'of the former one')
    await wsEvents.emit('other', 'call', 'of another')
    const start = (await watching.inbox.got(1))[0]?.id ?? ''
    await wsEvents.emit('acme', 'call', 'of the former one, too')
    await wsEvents.remove('acme')
    await wsEvents.set('acme', { enabled: true })
    await wsEvents.emit('acme', 'call', 'of the new one')
    await wsEvents.set('acme', { enabled: true, events: ['CALL'] })
    await wsEvents.emit('acme', 'call', 'of the new one, last')
    const [mine, all] = [['of the new one', 'of the new one, last'], ['of another', 'of the former one, too', 'of the new one', 'of the new one, last']]
    const check = async (url: string): Promise<void> => {
      t.strictSame(await readAll(t, url, LIMITED, start), { page: mine, stream: mine, socket: mine })
      t.strictSame(await readAll(t, url, GLOBAL, start), { page: all, stream: all, socket: all })
      t.strictSame(await readAll(t, url, LIMITED, start), { page: mine, stream: mine, socket: mine }, 'after a page was cached for the other key')
    }
    await check(server.url)
    if (name === 'memory') return
    if (name === 'redis') await check((await startServer(t, optionsOf(store))).url)
    await server.fastify.close()
    await check((await startServer(t, optionsOf(store))).url)
  })
}
