import t from 'tap'
import '../../lib/gateway/io.js'
import type { IdStorage } from '../../lib/client/index.js'
import { Bookmark } from '../../lib/client/bookmark.js'
import { eventually, type Latch, latch } from '../helpers/latch.js'
import { startServer } from '../helpers/server.js'
import { enabled, nextReady, read, Shelf } from './setup.js'

t.test('a storage that takes its time is waited for before the first connect, and later for nobody', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const shelf = new Shelf()
  const first = read(t, `${url}/acme`, { storage: shelf, storageKey: 'mine' })
  await nextReady(first)
  void fastify.wsEvents.emit('acme', 'call', 1)
  await first.got(1)
  first.events.close()
  void fastify.wsEvents.emit('acme', 'call', 2)
  const found = latch()
  const writes: Array<{ value: string, written: Latch }> = []
  const storage: IdStorage = {
    getItem: async key => {
      await found.opened
      return shelf.getItem(key)
    },
    setItem: async (key, value) => {
      const written = latch()
      writes.push({ value, written })
      await written.opened
    }
  }
  const second = read(t, `${url}/acme`, { storage, storageKey: 'mine' })
  const ready = nextReady(second)
  await new Promise(resolve => { second.events.socket.io.once('open', () => { resolve(undefined) }) })
  t.equal(fastify.wsEvents.stats().clients.admitted, 1)
  found.open()
  t.equal((await ready).recovered, true)
  for (const number of [3, 4]) void fastify.wsEvents.emit('acme', 'call', number)
  t.strictSame(await second.got(3), [2, 3, 4])
  t.strictSame(writes.map(({ value }) => value), [second.messages[0]?.id], 'one write is under way')
  writes[0]?.written.open()
  await eventually(() => writes.length > 1)
  writes[1]?.written.open()
  await new Promise(resolve => { setImmediate(resolve) })
  t.strictSame(writes.map(({ value }) => value), [second.messages[0]?.id, second.messages[2]?.id], 'and then one of the newest')
})

for (const [how, fail] of [['throws', () => { throw new Error('forbidden') }], ['rejects', async () => { throw new Error('forbidden') }]] as const) {
  t.test(`a storage that ${how} is told of once, and the stream goes on`, async t => {
    const { fastify, url } = await startServer(t, enabled)
    const reader = read(t, `${url}/acme`, { storage: { getItem: fail, setItem: fail } })
    await nextReady(reader)
    for (const number of [1, 2, 3]) void fastify.wsEvents.emit('acme', 'call', number)
    t.strictSame(await reader.got(3), [1, 2, 3])
    t.match(reader.errors, [{ message: 'the id of the last event could not be read', cause: { message: 'forbidden' } }])
    t.equal(reader.errors.length, 1)
    t.equal(reader.events.lastEventId, reader.messages[2]?.id)
  })
}

t.test('a storage that fails again after it has worked is told of again', async t => {
  const errors: Error[] = []
  const kept: string[] = []
  let isFull = true
  const bookmark = new Bookmark({ getItem: () => null, setItem: (key, value) => { if (isFull) throw new Error('full'); kept.push(value) } }, 'mine', error => { errors.push(error) })
  t.equal(await bookmark.restore(), '')
  const keep = async (id: string) => {
    bookmark.keep(id)
    await new Promise(resolve => { setImmediate(resolve) })
  }
  await keep('1')
  await keep('2')
  t.match(errors, [{ message: 'the id of the last event could not be stored', cause: { message: 'full' } }])
  t.equal(errors.length, 1)
  isFull = false
  await keep('3')
  isFull = true
  await keep('4')
  t.strictSame(kept, ['3'])
  t.equal(errors.length, 2)
})

t.test('without onError it is a warning', async t => {
  const { url } = await startServer(t, enabled)
  const warnings = t.capture(console, 'warn')
  const reader = read(t, `${url}/acme`, { onError: undefined, storage: { getItem: () => { throw new Error('forbidden') }, setItem: () => {} } })
  await nextReady(reader)
  t.match(warnings(), [{ args: [{ cause: { message: 'forbidden' } }] }])
})
