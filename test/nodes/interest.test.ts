import { setTimeout as sleep } from 'node:timers/promises'
import { Manager, type Socket } from 'socket.io-client'
import t from 'tap'
import { admitted, connect, Inbox, listen } from '../helpers/client.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { answered } from '../helpers/latch.js'
import { type Scope, startServer } from '../helpers/server.js'
import { callsOf } from './helpers/everything.js'
import { newPrefix, startNodes, storeAt } from './helpers/nodes.js'
import { RedisProxy } from './helpers/redis-proxy.js'

const INSTANCES = Array.from({ length: 1000 }, (empty, at) => `instance-${at}`)
/** Fewer than `limits.namespacesPerConnection`. */
const PER_CONNECTION = 250
/** A client that is away for no longer has not left, in ms. */
const SOON = 1500
/** In what is emitted, so that it can be looked for. */
const WORD = 'nobody-else-says-this'
const TEXT = `${WORD} ${'x'.repeat(500)}`

/** A client for each instance, many on one connection. */
async function joinAll (t: Scope, url: string): Promise<Array<{ socket: Socket, inbox: Inbox }>> {
  const clients: Array<{ socket: Socket, inbox: Inbox }> = []
  for (let from = 0; from < INSTANCES.length; from += PER_CONNECTION) {
    const manager = new Manager(url, { transports: ['websocket'], forceNew: true })
    const sockets = INSTANCES.slice(from, from + PER_CONNECTION).map(name => manager.socket(`/${name}`))
    t.teardown(() => { for (const socket of sockets) socket.disconnect() })
    clients.push(...sockets.map(socket => ({ socket, inbox: new Inbox(socket) })))
    await Promise.all(sockets.map(admitted))
  }
  return clients
}

t.test(`of ${INSTANCES.length} instances with clients on one node, the other gets nothing from Redis`, { skip: withoutRedis }, async t => {
  const redis = await startRedis(t)
  const prefix = newPrefix()
  const proxies = { a: await RedisProxy.start(t, redis), b: await RedisProxy.start(t, redis) }
  const start = async ({ url }: RedisProxy) => await startServer(t, { store: storeAt(url, prefix), defaultConfig: { enabled: true } })
  const [a, b] = [await start(proxies.a), await start(proxies.b)]
  const words = { a: proxies.a.count(WORD), b: proxies.b.count(WORD) }
  const clients = await joinAll(t, a.url)
  // Somebody is there, so that it is subscribed to what it needs.
  const other = await listen(t, `${b.url}/another`)
  const before = { a: proxies.a.bytes, b: proxies.b.bytes }

  for (const name of INSTANCES) void a.fastify.wsEvents.emit(name, 'call', TEXT)
  await Promise.all(clients.map(async ({ inbox }) => await inbox.got(1)))
  // What comes after the others has come.
  await a.fastify.wsEvents.emit('another', 'call', 'the last one')
  await other.inbox.got(1)
  const bytes = { a: proxies.a.bytes - before.a, b: proxies.b.bytes - before.b }
  t.comment(`Redis has sent ${bytes.a} bytes to the node with clients, ${bytes.b} to the other`)
  t.ok(words.a() >= INSTANCES.length, 'those events go through Redis')
  t.equal(words.b(), 0, 'and none to the other node')
  t.ok(bytes.b < bytes.a / 100, 'nor anything else that counts')

  const commands = redis.connect()
  const list = String(await commands.client('LIST'))
  const subscriptions = (proxy: RedisProxy): number => list.split('\n')
    .filter(line => proxy.addresses.some(address => line.includes(` addr=${address} `)))
    .reduce((sum, line) => sum + [...line.matchAll(/ s?sub=(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0), 0)
  t.ok(subscriptions(proxies.a) >= INSTANCES.length, `${subscriptions(proxies.a)} channels on one`)
  t.ok(subscriptions(proxies.b) < 10, `${subscriptions(proxies.b)} on the other`)
  const channels = await commands.pubsub('CHANNELS', '*instance-*') as string[]
  const counts = (await commands.pubsub('NUMSUB', ...channels) as Array<string | number>).filter((part, at) => at % 2 === 1)
  t.equal(channels.length, INSTANCES.length)
  t.ok(counts.every(count => Number(count) === 1), 'one node for each')

  // What the other emits for them goes out, and does not come back.
  await Promise.all(INSTANCES.map(async name => await b.fastify.wsEvents.emit(name, 'call', TEXT)))
  await Promise.all(clients.map(async ({ inbox }) => await inbox.got(2)))
  t.equal(words.b(), 0)
})

t.test('a client that is soon back changes no subscription; when the last has left for long, the node leaves too', { skip: withoutRedis }, async t => {
  const { a, redis, prefix } = await startNodes(t)
  const commands = redis.connect()
  const counts = async (): Promise<number[]> => await Promise.all(['subscribe', 'unsubscribe', 'ssubscribe', 'sunsubscribe'].map(async command => await callsOf(commands, command)))
  const { socket, inbox } = await listen(t, `${a.url}/acme`)
  const before = await counts()
  t.ok(before.some(count => count > 0))
  for (const away of [0, 0, 0, SOON, SOON]) {
    socket.disconnect()
    await answered(async () => a.fastify.wsEvents.clients({ instance: 'acme' }).length === 0)
    await sleep(away)
    socket.connect()
    await admitted(socket)
  }
  // The command that a client would cause is sent before this one.
  await a.fastify.wsEvents.emit('acme', 'call', 1)
  await inbox.got(1)
  t.strictSame(await counts(), before, 'nothing was subscribed or left')

  const channels = async (): Promise<number> => (await commands.pubsub('CHANNELS', `*${prefix}*acme*`) as string[]).length
  t.equal(await channels(), 1)
  socket.disconnect()
  await answered(async () => await channels() === 0)
  const back = connect(t, `${a.url}/acme`)
  const again = new Inbox(back)
  await admitted(back)
  t.equal(await channels(), 1)
  await a.fastify.wsEvents.emit('acme', 'call', 2)
  await again.got(1)
})
