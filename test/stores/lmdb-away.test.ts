import { open as openRoot } from 'lmdb'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { lmdbStore } from '../../lib/stores/lmdb/index.js'
import { eventually } from '../helpers/latch.js'
import { startServer } from '../helpers/server.js'

// The disk of a store that goes away while the server runs.

const enabled = { defaultConfig: { enabled: true } }
const UNAVAILABLE = { code: 'FST_ERR_WS_EVENTS_STORE_UNAVAILABLE' }

/** Lines of a log, parsed. */
function collect (): { lines: Array<Record<string, unknown>>, stream: { write: (line: string) => void } } {
  const lines: Array<Record<string, unknown>> = []
  return { lines, stream: { write: line => { lines.push(JSON.parse(line) as Record<string, unknown>) } } }
}

t.test('when its directory is deleted, no event is accepted any more, and stats and log say so', async t => {
  const directory = join(t.testdir(), 'store')
  const { lines, stream } = collect()
  const { fastify: { wsEvents } } = await startServer(t, { ...enabled, store: `lmdb:${directory}` }, { fastify: { logger: { stream, level: 'warn' } } })
  await wsEvents.emit('acme', 'call', 1)
  t.match(wsEvents.stats().store, { available: true, pendingEvents: 0 })
  rmSync(directory, { recursive: true })
  await eventually(() => !wsEvents.stats().store.available)
  await t.rejects(wsEvents.emit('acme', 'call', 2), UNAVAILABLE)
  await t.rejects(wsEvents.set('acme', { enabled: false }), UNAVAILABLE)
  t.equal(lines.filter(({ msg }) => msg === 'the file of the store was deleted or replaced: no event is accepted').length, 1)
})

t.test('when its directory is moved away and back, events are accepted again, and none is lost', async t => {
  const folder = t.testdir()
  const [here, there] = [join(folder, 'store'), join(folder, 'elsewhere')]
  const { lines, stream } = collect()
  const { fastify: { wsEvents }, url } = await startServer(t, { ...enabled, store: `lmdb:${here}` }, { fastify: { logger: { stream, level: 'warn' } } })
  const { lastEventId } = await (await fetch(`${url}/instance/acme/events?limit=1`)).json() as { lastEventId: string }
  await wsEvents.emit('acme', 'call', 1)
  renameSync(here, there)
  // Another file of the same name is not ours.
  mkdirSync(here)
  writeFileSync(join(here, 'data.mdb'), '')
  await eventually(() => !wsEvents.stats().store.available)
  await t.rejects(wsEvents.emit('acme', 'call', 2), UNAVAILABLE)
  rmSync(here, { recursive: true })
  renameSync(there, here)
  await eventually(() => wsEvents.stats().store.available)
  await wsEvents.emit('acme', 'call', 3)
  const { events } = await (await fetch(`${url}/instance/acme/events?after=${lastEventId}`)).json() as { events: Array<{ data: unknown }> }
  t.strictSame(events.map(({ data }) => data), [1, 3])
  t.ok(lines.some(({ msg }) => msg === 'the file of the store is back where it was: events are accepted again'))
})

t.test('of streams that have had no event for longer than maxAge a thousand are known, and clients of the others are told of a gap', async t => {
  const path = t.testdir()
  let now = Date.now()
  const store = lmdbStore({ path, now: () => now })
  const open = async () => await store.open({ retention: { maxAge: 1000, maxEvents: 1000, maxBytes: 1e6 }, logger: { warn () {}, error () {} } })
  const record = (instance: string) => ({ instance, event: 'call', rest: Buffer.from(',"n":1}'), attachments: [] })
  const first = await open()
  const start = first.log.head(null)
  const names = Array.from({ length: 1500 }, (empty, at) => `instance-${at}`)
  await Promise.all(names.map(async name => await first.log.append([name], record(name))))
  for (const name of names.slice(0, 100)) await first.log.remove(name)
  now += 5000
  await first.log.append(['instance-1499'], record('instance-1499'))
  await eventually(() => first.log.stats().records === 1)
  // What is empty now is found by the next look.
  now += 2000
  let head = ''
  // Some hundred are forgotten in each transaction.
  for (let time = 0; time < 5; time++) head = await first.log.append(['instance-1499'], record('instance-1499'))
  t.equal(await first.log.read('instance-0', start, 1e6), 'gap')
  t.strictSame(await first.log.read('instance-7', head, 1e6), [])
  await first.close()
  t.equal(await rowsIn(path), 1001)
  const again = await open()
  t.teardown(async () => { await again.close() })
  t.equal(await again.log.read('instance-0', start, 1e6), 'gap', 'after a restart, too')
  t.strictSame(await again.log.read('instance-7', head, 1e6), [])
})

/** The streams that a file knows. */
async function rowsIn (path: string): Promise<number> {
  const root = openRoot({ path, noSubdir: false })
  const rows = root.openDB('streams', { keyEncoding: 'uint32', encoding: 'binary' }).getKeysCount()
  await root.close()
  return rows
}
