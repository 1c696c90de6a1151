import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import type { Message, WsEventsOptions } from '../lib/index.js'
import { type Inbox, listen, type Transport, transports } from './helpers/client.js'
import { startServer } from './helpers/server.js'

/** An event as it was recorded: what a host would emit. */
interface Recorded {
  readonly instance: string
  readonly event: string
  readonly sender: string
  readonly data: unknown
}

const END = 'the end'
const session = readFileSync(new URL('../example/session.jsonl', import.meta.url), 'utf8')
  .trim().split('\n').map(line => JSON.parse(line) as Recorded)
const instances = [...new Set(session.map(({ instance }) => instance))]
const eventsOf = (instance: string): Recorded[] => session.filter(event => event.instance === instance)

/** What was recorded, from what a client got; the last event is not part of it. */
async function played (inbox: Inbox, ends: number): Promise<Recorded[]> {
  let left = ends
  const messages = await inbox.got(({ data }) => data === END && --left === 0)
  return messages.filter(({ data }) => data !== END).map(({ instance, event, sender, data }) => ({ instance, event, sender: sender ?? '', data }))
}

interface Play {
  /** Map(instance, or '' for the root -> what its client gets) */
  readonly inboxes: ReadonlyMap<string, Inbox>
  readonly ids: Array<string | null>
}

/** Plays the session to a client of each instance, and in global mode one of the root; nothing is awaited in between. */
async function play (t: Test, transport: Transport, options: WsEventsOptions): Promise<Play> {
  const { fastify, url } = await startServer(t, options)
  const inboxes = new Map<string, Inbox>()
  for (const instance of instances) await fastify.wsEvents.set(instance, { enabled: true })
  for (const path of options.globalEvents === true ? ['', ...instances] : instances) {
    inboxes.set(path, (await listen(t, `${url}/${path}`, { transports: [transport] })).inbox)
  }
  const emitted = session.map(async ({ instance, event, sender, data }) => await fastify.wsEvents.emit(instance, event, data, { sender }))
  for (const instance of instances) void fastify.wsEvents.emit(instance, 'call', END)
  return { inboxes, ids: (await Promise.all(emitted)).map(({ id }) => id) }
}

t.test('the recorded session is 2,000 events of four instances', async t => {
  t.equal(session.length, 2000)
  t.equal(instances.length, 4)
  t.ok(instances.every(instance => eventsOf(instance).length > 100))
})

for (const [transport, fastPath] of [...transports.map(transport => [transport, true] as const), ['websocket', false] as const]) {
  const way = fastPath ? transport : `${transport} without the fast path`

  t.test(`over ${way}, in traditional mode each instance's client gets exactly its own events of the session, in order`, async t => {
    const { inboxes, ids } = await play(t, transport, { fastPath })
    t.equal(new Set(ids).size, 2000, 'each event has an id of its own')
    for (const instance of instances) {
      const inbox = inboxes.get(instance) as Inbox
      t.strictSame(await played(inbox, 1), eventsOf(instance), instance)
      t.same(idsOf(inbox.messages), ids.filter((id, at) => session[at]?.instance === instance))
    }
  })

  t.test(`over ${way}, in global mode the root's client gets the whole session in order, and the instances' clients get theirs`, async t => {
    const { inboxes, ids } = await play(t, transport, { fastPath, globalEvents: true })
    for (const instance of instances) t.strictSame(await played(inboxes.get(instance) as Inbox, 1), eventsOf(instance), instance)
    const root = inboxes.get('') as Inbox
    t.strictSame(await played(root, instances.length), session)
    t.same(idsOf(root.messages), ids)
  })
}

function idsOf (messages: readonly Message[]): string[] {
  return messages.filter(({ data }) => data !== END).map(({ id }) => id)
}
