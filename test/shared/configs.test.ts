import t from 'tap'
import { connect, disconnected, listen, refused } from '../helpers/client.js'
import { startNodes } from '../helpers/cluster.js'
import { eventually } from '../helpers/latch.js'
import { datas } from '../helpers/resume.js'
import { later } from '../helpers/stores.js'

/** Resolves when all that was told has been read. */
const settled = async (): Promise<void> => { for (let turn = 0; turn < 10; turn++) await later() }

t.test('what is set on one node is in force on the others', async t => {
  const { nodes: [a, b] } = await startNodes(t, 2)
  t.equal((await refused(connect(t, `${b.url}/acme`))).code, 'FST_ERR_WS_EVENTS_NOT_SET')
  await a.wsEvents.set('acme', { enabled: true, events: ['call'] })
  await settled()
  const { inbox } = await listen(t, `${b.url}/acme`)
  t.match(await b.wsEvents.emit('acme', 'chats.set', 1), { skipped: 'filtered' })
  await b.wsEvents.emit('acme', 'call', 2)
  await a.wsEvents.emit('acme', 'call', 3)
  t.strictSame(datas(await inbox.got(2)), [2, 3])
})

t.test('who is no longer served is disconnected on every node, after what was emitted before', async t => {
  const { nodes: [a, b] } = await startNodes(t, 2)
  for (const change of ['disable', 'remove']) {
    await a.wsEvents.set('acme', { enabled: true })
    await settled()
    const clients = await Promise.all([a, b].map(async node => await listen(t, `${node.url}/acme`)))
    const ended = Promise.all(clients.map(async ({ socket }) => await disconnected(socket)))
    for (let n = 0; n < 50; n++) void b.wsEvents.emit('acme', 'call', n)
    for (let n = 50; n < 100; n++) void a.wsEvents.emit('acme', 'call', n)
    if (change === 'disable') await a.wsEvents.set('acme', { enabled: false })
    else t.equal(await a.wsEvents.remove('acme'), true)
    t.strictSame(await ended, ['io server disconnect', 'io server disconnect'])
    for (const { inbox } of clients) t.strictSame(datas(inbox.messages).toSorted((a, b) => Number(a) - Number(b)), Array.from({ length: 100 }, (_, n) => n), change)
    t.match(await refused(connect(t, `${b.url}/acme`)), { code: `FST_ERR_WS_EVENTS_${change === 'disable' ? 'INSTANCE_DISABLED' : 'NOT_SET'}` })
  }
})

t.test('a notification of a removal by the same node disconnects no client that has connected since', async t => {
  const { shared, nodes: [a] } = await startNodes(t, 1, { defaultConfig: { enabled: true } })
  await a.wsEvents.set('acme', { enabled: true })
  await a.wsEvents.remove('acme')
  const { socket } = await listen(t, `${a.url}/acme`)
  // The word may come as late as that.
  shared.changed('acme')
  await settled()
  t.equal(a.wsEvents.clients({ instance: 'acme' }).length, 1)
  t.equal(socket.connected, true)
})

t.test('a removal on another node does not remove the past again', async t => {
  const { shared, nodes: [a, b] } = await startNodes(t, 2)
  let removals = 0
  const { log } = shared
  const remove = log.remove.bind(log)
  log.remove = async stream => {
    if (stream !== null) removals++
    await remove(stream)
  }
  await a.wsEvents.set('acme', { enabled: true })
  await settled()
  removals = 0
  const { socket } = await listen(t, `${b.url}/acme`)
  const ended = disconnected(socket)
  await a.wsEvents.remove('acme')
  await ended
  await settled()
  t.equal(removals, 1)
})

t.test('a notification of a change by the same node changes nothing', async t => {
  const { shared, nodes: [a] } = await startNodes(t, 1)
  await a.wsEvents.set('acme', { enabled: true, events: ['call'] })
  await settled()
  const { socket, inbox } = await listen(t, `${a.url}/acme`)
  const looks = () => shared.nodes[0]?.asked.filter(call => call === 'get acme').length ?? 0
  const before = looks()
  for (let word = 0; word < 5; word++) shared.changed('acme')
  await settled()
  t.equal(socket.connected, true)
  await a.wsEvents.emit('acme', 'call', 1)
  t.strictSame(datas(await inbox.got(1)), [1])
  t.equal(looks() - before, 2, 'whatever is told while a look waits for its turn is one look')
})

t.test('when all may have changed, all differences are put in force', async t => {
  const { shared, nodes: [a, b] } = await startNodes(t, 2)
  for (const name of ['stays', 'goes', 'off']) await a.wsEvents.set(name, { enabled: true })
  await settled()
  const [stays, goes, off] = await Promise.all(['stays', 'goes', 'off'].map(async name => await listen(t, `${b.url}/${name}`)))
  const ended = Promise.all([goes, off].map(async client => await disconnected((client as typeof stays & object).socket)))
  await shared.configs.delete('goes')
  await shared.configs.set('off', { enabled: false, events: null })
  await shared.configs.set('new', { enabled: true, events: null })
  shared.changed(null)
  t.strictSame(await ended, ['io server disconnect', 'io server disconnect'])
  t.equal(stays?.socket.connected, true)
  await listen(t, `${b.url}/new`)
})

t.test('what could not be read is logged, and read at the next word', async t => {
  const { shared, nodes: [a] } = await startNodes(t, 1)
  const logged = () => a.lines.filter(({ msg }) => msg.includes('could not be read: they are read again at the store')).length
  await shared.configs.set('one', { enabled: true, events: null })
  shared.isAway = true
  shared.changed('one')
  await eventually(() => logged() === 1)
  shared.isAway = false
  shared.changed('other')
  await settled()
  await listen(t, `${a.url}/one`)
  await shared.configs.set('two', { enabled: true, events: null })
  shared.isAway = true
  shared.changed(null)
  await eventually(() => logged() === 2)
  shared.isAway = false
  shared.changed('other')
  await settled()
  await listen(t, `${a.url}/two`)
})

t.test('changes of one name on several nodes at once end alike everywhere', async t => {
  const { shared, nodes } = await startNodes(t, 3)
  const events = ['call', 'chats.set', 'messages.upsert'] as const
  for (let round = 0; round < 10; round++) {
    await Promise.all(nodes.flatMap(({ wsEvents }, at) => [
      wsEvents.set('acme', { enabled: true, events: [events[at] ?? 'call'] }),
      ...(at === round % 3 ? [wsEvents.remove('acme')] : [])
    ]))
    await settled()
    const stored = await shared.configs.get('acme')
    for (const { wsEvents } of nodes) {
      const results = await Promise.all(events.map(async event => (await wsEvents.emit('acme', event, null)).skipped ?? 'sent'))
      const expected = events.map(event => stored === null ? 'not-set' : stored.events?.includes(event.toUpperCase().replace('.', '_')) === true ? 'sent' : 'filtered')
      t.strictSame(results, expected)
    }
  }
})
