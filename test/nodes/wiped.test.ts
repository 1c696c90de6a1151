import t from 'tap'
import type { EventsClient } from '../../lib/client/index.js'
import { connect } from '../../lib/client/index.js'
import type { Ready } from '../../lib/index.js'
import { withoutRedis } from '../helpers/redis.js'
import type { Scope, TestServer } from '../helpers/server.js'
import { startNodes } from './helpers/nodes.js'

const CLIENTS = 20
const INSTANCES = ['acme', 'other', 'third', 'fourth']
/** Events of each instance after everybody was told. */
const AFTERWARDS = 100

type Received = readonly [number: number, id: string]

/** A client that resumes, and what it gets. */
class Reader {
  readonly instance: string
  readonly readies: Ready[] = []
  readonly received: Received[] = []
  readonly client: EventsClient
  #check: () => void = () => {}

  constructor (t: Scope, { url }: TestServer, instance: string) {
    this.instance = instance
    this.client = connect(`${url}/${instance}`, { forceNew: true, transports: ['websocket'], reconnectionDelay: 20, reconnectionDelayMax: 100 })
    this.client.socket.on('ws.ready', (ready: Ready) => {
      this.readies.push(ready)
      this.#check()
    })
    this.client.onAny(({ data, id }) => {
      this.received.push([data as number, id])
      this.#check()
    })
    t.teardown(() => { this.client.close() })
  }

  async until (holds: () => boolean): Promise<void> {
    await new Promise<void>(resolve => {
      this.#check = () => { if (holds()) resolve() }
      this.#check()
    })
  }
}

/** Emits numbers on both nodes until it is stopped. */
class Load {
  // Map(instance -> those that have resolved)
  readonly resolved = new Map<string, Received[]>(INSTANCES.map(name => [name, []]))
  readonly #nodes: readonly TestServer[]
  readonly #timer: NodeJS.Timeout
  #next = 0
  #waiting: Array<Promise<void>> = []

  constructor (t: Scope, nodes: readonly TestServer[]) {
    this.#nodes = nodes
    this.#timer = setInterval(() => { this.emit() }, 2)
    t.teardown(() => { clearInterval(this.#timer) })
  }

  emit (): void {
    const number = this.#next++
    const instance = INSTANCES[number % INSTANCES.length] as string
    // One after the other, so that each node emits for each instance.
    const node = this.#nodes[Math.floor(number / INSTANCES.length) % this.#nodes.length] as TestServer
    this.#waiting.push(node.fastify.wsEvents.emit(instance, 'call', number).then(({ id }) => { this.resolved.get(instance)?.push([number, String(id)]) }))
  }

  async stop (): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#waiting)
    this.#waiting = []
  }
}

const byId = ([, a]: Received, [, b]: Received): number => a < b ? -1 : 1

t.test(`a Redis that is wiped under load: each of ${CLIENTS} clients is told, and has everything from there on`, { skip: withoutRedis }, async t => {
  const { a, b, redis } = await startNodes(t)
  const readers = Array.from({ length: CLIENTS }, (empty, at) => new Reader(t, at % 2 === 0 ? a : b, INSTANCES[at % INSTANCES.length] as string))
  await Promise.all(readers.map(async reader => { await reader.until(() => reader.readies.length === 1) }))
  const load = new Load(t, [a, b])
  await Promise.all(readers.map(async reader => { await reader.until(() => reader.received.length > 20) }))
  // Some are away just then.
  const away = readers.slice(0, 4)
  for (const { client } of away) client.socket.disconnect()
  await redis.connect().flushall()
  for (const { client } of away) client.socket.connect()
  await Promise.all(readers.map(async reader => { await reader.until(() => reader.readies.some(({ recovered }) => recovered === false)) }))

  for (let left = AFTERWARDS * INSTANCES.length; left > 0; left--) load.emit()
  await load.stop()
  for (const reader of readers) {
    const { instance, readies, received } = reader
    const since = readies.at(-1)?.lastEventId ?? ''
    const expected = load.resolved.get(instance)?.filter(([, id]) => id > since).sort(byId) ?? []
    await reader.until(() => (received.at(-1)?.[1] ?? '') >= (expected.at(-1)?.[1] ?? ''))
    t.ok(expected.length >= AFTERWARDS)
    t.strictSame(received.filter(([, id]) => id > since), expected)
    t.strictSame(received, [...received].sort(byId), 'ids of both lives are in order')
    t.equal(new Set(received.map(([number]) => number)).size, received.length, 'and nothing came twice')
    // Who comes back just then may be told by its return and by the wipe.
    const told = readies.filter(({ recovered }) => recovered === false).length
    t.ok(told === 1 || (told === 2 && away.includes(reader)), `it was told ${told} times`)
  }
})
