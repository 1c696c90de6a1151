import { createHash } from 'node:crypto'
import t from 'tap'
import { admitted, connect, disconnected, listen } from '../helpers/client.js'
import { startNode, startNodes } from '../helpers/cluster.js'
import { eventually } from '../helpers/latch.js'
import { datas } from '../helpers/resume.js'
import { SharedStore } from '../helpers/shared-store.js'
import { later } from '../helpers/stores.js'

const KEY = 'k1-secret'
const options = { defaultConfig: { enabled: true }, verify: () => true }

t.test('disconnect ends those that are meant on every node, after what was emitted before, and tells no key', async t => {
  const { shared, nodes } = await startNodes(t, 3, options)
  const [a] = nodes
  for (const [target, message] of [
    [{ apikey: ` ${KEY} ` }, { v: 1, type: 'disconnect', keyHash: createHash('sha256').update(KEY).digest('base64') }],
    [{ instance: 'cafe\u0301' }, { v: 1, type: 'disconnect', instance: 'café' }],
    [{ instance: 'café', apikey: KEY }, { v: 1, type: 'disconnect', instance: 'café', keyHash: createHash('sha256').update(KEY).digest('base64') }]
  ] as const) {
    const isMeant = (name: string, apikey: string) => (!('instance' in target) || name === 'café') && (!('apikey' in target) || apikey === KEY)
    const all = await Promise.all(nodes.flatMap(({ url }) => ['café', 'acme'].flatMap(name => [KEY, 'other'].map(async apikey =>
      ({ meant: isMeant(name, apikey), name, ...await listen(t, `${url}/${encodeURIComponent(name)}`, { auth: { apikey } }) })))))
    const ended = Promise.all(all.filter(({ meant }) => meant).map(async ({ socket }) => await disconnected(socket)))
    await a.wsEvents.emit('café', 'call', 'last')
    await a.wsEvents.disconnect(target)
    t.strictSame(new Set(await ended), new Set(['io server disconnect']))
    for (const { meant, name, socket, inbox } of all) {
      t.equal(socket.connected, !meant)
      if (name === 'café') t.strictSame(datas(await inbox.got(1)), ['last'])
      socket.disconnect()
    }
    const told = shared.told.at(-1) ?? ''
    t.notMatch(told, KEY)
    t.match(JSON.parse(told), message)
  }
})

t.test('a node ignores its own disconnect message, so clients that have reconnected stay', async t => {
  const { shared, nodes: [a, b] } = await startNodes(t, 2, options)
  const { socket: mine } = await listen(t, `${a.url}/acme`)
  const { socket: other } = await listen(t, `${b.url}/acme`)
  const ended = disconnected(mine)
  const done = a.wsEvents.disconnect({ instance: 'acme' })
  await ended
  const { socket: again } = await listen(t, `${a.url}/acme`)
  await done
  const text = shared.told.at(-1) ?? ''
  shared.nodes[0]?.heard(text)
  t.equal(a.wsEvents.clients({ instance: 'acme' }).length, 1)
  t.equal(again.connected, true)
  t.equal(other.connected, false)
})

t.test('clients on their way in are meant too, on every node', async t => {
  let open = (): void => {}
  const opened = new Promise<boolean>(resolve => { open = () => { resolve(true) } })
  const asked: string[] = []
  const shared = new SharedStore()
  const a = await startNode(t, shared, options)
  const b = await startNode(t, shared, { ...options, verify: async ({ apikey }) => { asked.push(String(apikey)); return await opened } })
  const socket = connect(t, `${b.url}/acme`, { auth: { apikey: KEY } })
  await eventually(() => asked.length > 0)
  await a.wsEvents.disconnect({ apikey: KEY })
  const refusal = new Promise<Error & { data?: { code: string } }>(resolve => { socket.once('connect_error', resolve) })
  open()
  t.equal((await refusal).data?.code, 'FST_ERR_WS_EVENTS_FORBIDDEN')
})

t.test('when other nodes cannot be notified, the error says that this node has disconnected its clients', async t => {
  const { shared, nodes: [a] } = await startNodes(t, 1, options)
  const { socket } = await listen(t, `${a.url}/acme`)
  const ended = disconnected(socket)
  shared.away()
  await t.rejects(a.wsEvents.disconnect({ instance: 'acme' }), {
    code: 'FST_ERR_WS_EVENTS_STORE_UNAVAILABLE',
    statusCode: 503,
    message: /this node has ended its own clients, and the other nodes could not be told/,
    cause: { message: /it is away/ }
  })
  t.equal(await ended, 'io server disconnect')
})

t.test('disconnect needs a target, and notifies no node without one', async t => {
  const { shared, nodes: [a] } = await startNodes(t, 1, options)
  const disabled = await startNode(t, shared, { ...options, enabled: false })
  for (const { wsEvents } of [a, disabled]) {
    await t.rejects(wsEvents.disconnect({}), { code: 'FST_ERR_WS_EVENTS_INVALID_DATA' })
    await t.rejects(wsEvents.disconnect({ instance: 'a/b' }), { code: 'FST_ERR_WS_EVENTS_INVALID_NAME' })
  }
  t.strictSame(shared.told, [])
})

t.test('a node in disabled mode ends the clients of the others, and one that is closed does no harm', async t => {
  const { shared, nodes: [a] } = await startNodes(t, 1, options)
  const disabled = await startNode(t, shared, { ...options, enabled: false })
  const { socket } = await listen(t, `${a.url}/acme`)
  const ended = disconnected(socket)
  await disabled.wsEvents.disconnect({ instance: 'acme' })
  t.equal(await ended, 'io server disconnect')
  await a.fastify.close()
  await disabled.wsEvents.disconnect({ instance: 'acme' })
  await a.wsEvents.disconnect({ instance: 'acme' })
})

t.test('an unknown message of another node is ignored and logged once, and disconnects no client', async t => {
  const { shared, nodes: [a] } = await startNodes(t, 1, options)
  const socket = await admitted(connect(t, `${a.url}/acme`))
  const texts = [
    '', '{', 'null', '5', '"disconnect"', '[]', '{}',
    '{"v":2,"type":"disconnect","instance":"acme"}',
    '{"v":1,"type":"other","instance":"acme"}',
    '{"v":1,"type":"disconnect"}',
    '{"v":1,"type":"disconnect","instance":5}',
    '{"v":1,"type":"disconnect","instance":null}',
    '{"v":1,"type":"disconnect","instance":"acme","keyHash":{}}'
  ]
  for (const text of texts) shared.nodes[0]?.heard(text)
  await later()
  t.equal(socket.connected, true)
  t.equal(a.lines.filter(({ level, msg }) => level === 20 && msg.includes('a message of another node was ignored')).length, texts.length)
  t.strictSame(a.lines.filter(({ level }) => level > 30), [])
  const ended = disconnected(socket)
  shared.nodes[0]?.heard('{"v":1,"type":"disconnect","instance":"acme","more":1}')
  t.equal(await ended, 'io server disconnect', 'what is more is not minded')
})
