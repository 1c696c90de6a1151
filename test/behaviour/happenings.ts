import { once } from 'node:events'
import { WebSocket } from 'ws'
import { answered, eventually } from '../helpers/latch.js'
import { KEY, OTHER } from './checks.js'
import { type Client, clientOf, type SocketClient } from './clients.js'
import type { Way } from './rows.js'
import { slowIn } from './stats.js'
import { turns, type Needs, type World } from './world.js'

/** How something happens to a client, whatever its state. */
interface Play {
  readonly needs?: Needs
  /** Whether the instance is not disabled afterwards, if it was. */
  readonly unmutes?: true
  /** Resolves when it has happened, as far as the server can do it while the client is held in its state. */
  readonly run: (world: World) => Promise<unknown>
}

const KB = 1024
/** A client that answers no heartbeat is ended within three seconds: a busy machine may well be late by one. */
const UNREAD = { socketio: { pingInterval: 1000, pingTimeout: 2000 }, retention: { maxBytes: 64 * KB * KB } }

/** Until the client is told how it ends, or is let in. */
const decided = async (client: Client): Promise<void> => {
  await client.until(() => client.told.length > 0 || client.isIn)
}

/** The key is asked for again when it is due. In a state in which it never is, others are meanwhile. */
async function revoke ({ parts: { checks } }: World): Promise<void> {
  checks.isRevoked = true
  checks.gate.open()
  const { others } = checks
  await eventually(() => checks.denied > 0 || checks.others >= others + 3)
  await turns()
}

/** Another node's word takes a while. */
async function removeElsewhere ({ parts: { secondNode }, wsEvents }: World): Promise<void> {
  await secondNode?.wsEvents.remove('acme')
  const isGone = async () => (await wsEvents.emit('acme', 'call', 'probe')).skipped === 'not-set'
  await answered(isGone)
}

/** The client's network brings it nothing of what is emitted. */
async function fillUntil ({ parts: { network, store }, wsEvents }: World, isEnough: () => boolean): Promise<void> {
  network.stall()
  store.read.open()
  while (!isEnough()) {
    await wsEvents.emit('acme', 'call', 'x'.repeat(60 * KB))
    await turns(2)
  }
}

async function overfill (world: World): Promise<void> {
  const { parts: { network }, wsEvents, client } = world
  await fillUntil(world, () => slowIn(wsEvents.stats()) > 0)
  network.flow()
  await client.until(() => client.told.length > 0)
}

/** Something waits for a client that reads nothing, for so long that two sockets that stall as well are ended. */
async function stall (world: World): Promise<void> {
  const { parts: { network, server }, wsEvents, client } = world
  const isThere = () => wsEvents.clients({ instance: 'acme' }).length > 0
  const waits = () => wsEvents.clients({ instance: 'acme' }).some(({ queuedBytes }) => queuedBytes > 0)
  await fillUntil(world, () => waits() || !isThere())
  for (let time = 0; time < 2 && isThere(); time++) {
    // By hand: one that answers no heartbeat.
    const socket = new WebSocket(`${server.url}/socket.io/?EIO=4&transport=websocket`)
    await once(socket, 'close')
  }
  const isEnded = !isThere()
  network.flow()
  if (isEnded) await client.until(() => client.told.length > 0)
}

async function flood ({ client }: World): Promise<void> {
  const { socket } = client as SocketClient
  for (let message = 0; message < 50; message++) socket.emit('noise')
  await client.until(() => client.told.length > 0)
}

/** Of a client that is held up in a namespace, or in none. */
async function idle ({ client }: World): Promise<void> {
  await client.until(() => client.told.length > 0)
}

/** Another connection is ended for it, and the client is in one namespace. */
async function othersIdle (world: World): Promise<void> {
  const socket = new WebSocket(`${world.parts.server.url}/socket.io/?EIO=4&transport=websocket`)
  await once(socket, 'close')
  world.mark()
}

/** Resolves when both sides know. */
async function lose (world: World): Promise<void> {
  const { parts: { network }, client } = world
  await world.polled()
  const isGone = world.connection()
  network.cut()
  await client.until(() => client.told.length > 0)
  await eventually(isGone)
  await turns()
}

async function leave (world: World): Promise<void> {
  const isGone = world.connection()
  world.client.leave()
  await eventually(isGone)
  await turns()
  // While whatever holds it up still does.
  await world.releasedEarly()
}

/** Once more while it is checked, on a connection that another namespace keeps open. */
async function askAgain ({ parts: { checks }, client }: World): Promise<void> {
  const { manager, socket } = client as SocketClient
  const other = manager.socket('/third', { auth: { apikey: OTHER } })
  other.connect()
  await once(other as never, 'connect')
  socket.disconnect()
  socket.connect()
  await eventually(() => checks.gate.held > 1)
}

async function askInAnotherSpelling ({ client }: World): Promise<void> {
  await (client as SocketClient).alsoJoin('/%61cme')
}

async function close (world: World): Promise<void> {
  const { parts: { server, preClose } } = world
  world.closing = server.fastify.close()
  await preClose
  await turns()
}

/** One client has the last place that a limit has, and then the row's asks to come in. */
async function takeLast (world: World, way: Way): Promise<void> {
  const { parts: { store, network, scope }, client, before } = world
  if (way === 'page') store.read.close()
  const lastEventId = way === 'page' ? before : undefined
  const first = clientOf(way, { url: network.url, apikey: KEY, instance: 'acme', lastEventId })
  scope.teardown(() => { first.close() })
  first.join()
  if (way === 'page') await eventually(() => store.read.held > 0)
  else await first.until(() => first.isIn)
  const { held } = store.read
  world.mark()
  client.join()
  await eventually(() => client.told.length > 0 || client.isIn || store.read.held > held)
  first.close()
}

const UNLIMITED = { connections: 0, connectionsPerAddress: 0, connectionsPerInstance: 0 }

const full = (limit: 'connections' | 'connectionsPerAddress' | 'connectionsPerInstance', way: Way): Play => ({
  // The other one is in another instance.
  needs: { limits: { ...UNLIMITED, [limit]: limit === 'connectionsPerInstance' ? 1 : 2 } },
  run: async world => { await takeLast(world, way) }
})

export const plays: Readonly<Record<string, Play>> = {
  'events narrowed': {
    run: async ({ wsEvents }) => await wsEvents.set('acme', { enabled: true, events: ['CHATS_SET'] })
  },
  disabled: { run: async ({ wsEvents }) => await wsEvents.set('acme', { enabled: false }) },
  'enabled again': { unmutes: true, run: async ({ wsEvents }) => await wsEvents.set('acme', { enabled: true }) },
  removed: { unmutes: true, run: async ({ wsEvents }) => await wsEvents.remove('acme') },
  'removed, set again': {
    unmutes: true,
    run: async ({ wsEvents }) => {
      await wsEvents.remove('acme')
      await wsEvents.set('acme', { enabled: true })
      await wsEvents.emit('acme', 'call', 'of the next instance')
    }
  },
  'removed by another node': { unmutes: true, needs: { secondNode: true }, run: removeElsewhere },
  'key revoked': { needs: { ttl: 20 }, run: revoke },
  'disconnected by instance': { run: async ({ wsEvents }) => { await wsEvents.disconnect({ instance: 'acme' }) } },
  'disconnected by key': { run: async ({ wsEvents }) => { await wsEvents.disconnect({ apikey: KEY }) } },
  slow: { needs: { limits: { queuedBytes: 256 * KB } }, run: overfill },
  'reads nothing': {
    needs: { options: UNREAD, limits: { queuedBytes: 0 }, past: { events: 100, bytes: 64 * KB } },
    run: stall
  },
  idle: { needs: { limits: { idleMs: 4000 } }, run: idle },
  'stays quiet': { needs: { limits: { idleMs: 4000 } }, run: othersIdle },
  'too many messages': { needs: { limits: { inboundPerSecond: 10 } }, run: flood },
  // It comes back before the server may have let go of what it was.
  'connection lost': {
    needs: { limits: { connections: 3, connectionsPerAddress: 3, connectionsPerInstance: 2 } },
    run: lose
  },
  leaves: { run: leave },
  'server closing': { run: close },
  'verify never answers': { needs: { limits: { idleMs: 0 } }, run: async ({ client }) => { await decided(client) } },
  'store never ready': { run: async ({ client }) => { await decided(client) } },
  'asks again': { needs: { limits: { connectionsPerInstance: 2 } }, run: askAgain },
  'asks in another spelling': { needs: { limits: { connectionsPerInstance: 2 } }, run: askInAnotherSpelling },
  'connections full': full('connections', 'websocket'),
  'connectionsPerAddress full': full('connectionsPerAddress', 'websocket'),
  'connectionsPerInstance full': full('connectionsPerInstance', 'websocket'),
  'connections full (page)': full('connections', 'page'),
  'connectionsPerAddress full (page)': full('connectionsPerAddress', 'page'),
  'connectionsPerInstance full (page)': full('connectionsPerInstance', 'page')
}
