import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { EventEmitter } from 'node:events'
import type { Server } from 'socket.io'
import type { Socket } from 'socket.io-client'
import t from 'tap'
import { admitted, type ClientOptions, connect, disconnected } from '../helpers/client.js'
import { IN_FULL } from '../helpers/sample.js'
import { type Scope, startServer, type TestServer } from '../helpers/server.js'

// Clients come, go, narrow what they hear and change their transport, while instances are set and disabled and both
// the plugin and the host emit. Whatever the order of all that, a client hears what it is entitled to: nothing else,
// nothing twice, nothing out of order, and nothing less.

const INSTANCES = ['acme', 'Teste 01'] as const
const EVENTS = ['messages.upsert', 'messages.update', 'call'] as const
type Instance = (typeof INSTANCES)[number]
type EventName = (typeof EVENTS)[number]

const instance = fc.constantFrom(...INSTANCES)
const event = fc.constantFrom(...EVENTS)
const events = fc.subarray([...EVENTS])
const who = fc.nat({ max: 5 })

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('emit' as const), instance, event, times: fc.integer({ min: 1, max: 8 }), binary: fc.boolean(), yields: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('connect' as const), at: fc.option(instance), spelling: fc.constantFrom('plain', 'encoded', 'slash'), transports: fc.constantFrom('websocket', 'polling', 'upgrading'), events }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('subscribe' as const), who, events }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('disconnect' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('set' as const), instance, enabled: fc.boolean(), events }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('host' as const), times: fc.integer({ min: 1, max: 4 }), squeezed: fc.boolean() }) }
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

interface Heard { readonly n: number, readonly from: string }

/** A client, and what it must hear by the rules. */
class Listener {
  readonly socket: Socket
  readonly at: Instance | null
  filter: readonly EventName[]
  /** Numbers of the plugin's events that it must hear. */
  readonly due: number[] = []
  readonly heard: Heard[] = []
  readonly hostDue: number[] = []
  readonly hostHeard: number[] = []
  /** It left by itself, so the last ones may have been on their way. */
  left = false
  #wake: () => void = () => {}

  constructor (socket: Socket, at: Instance | null, filter: readonly EventName[]) {
    this.socket = socket
    this.at = at
    this.filter = filter
    socket.onAny((name: string, argument: { data: { n: number }, instance: string } | number) => {
      if (typeof argument === 'number') this.hostHeard.push(argument)
      else this.heard.push({ n: argument.data.n, from: `${argument.instance}/${name}` })
      this.#wake()
    })
  }

  hears (from: Instance, name: EventName): boolean {
    return (this.at === null || this.at === from) && (this.filter.length === 0 || this.filter.includes(name))
  }

  async caughtUp (): Promise<void> {
    while (this.heard.length < this.due.length || this.hostHeard.length < this.hostDue.length) {
      await new Promise<void>(resolve => { this.#wake = resolve })
    }
  }
}

/** The rules, beside the server that is tested. */
class World {
  readonly #scope: Scope
  readonly #server: TestServer
  readonly #io: Server
  readonly #configs = new Map<Instance, { enabled: boolean, events: readonly EventName[] }>()
  readonly listeners: Listener[] = []
  #n = 0

  constructor (scope: Scope, server: TestServer) {
    this.#scope = scope
    this.#server = server
    this.#io = (server.fastify as unknown as { io: Server }).io
    this.#io.engine.on('connection', (connection: EventEmitter) => {
      connection.on('packet', ({ type, data }: { type: string, data?: unknown }) => {
        if (type === 'message' && typeof data === 'string' && /^[02]/.test(data)) this.#interject()
      })
    })
  }

  get #present (): Listener[] {
    return this.listeners.filter(({ left, socket }) => !left && socket.connected)
  }

  async take (step: Step): Promise<void> {
    switch (step.do) {
      case 'emit': await this.#emit(step); break
      case 'connect': await this.#connect(step); break
      case 'subscribe': await this.#subscribe(step.who, step.events); break
      case 'disconnect': this.#leave(step.who); break
      case 'set': await this.#set(step.instance, step); break
      case 'host': this.#hostEmits(step)
    }
  }

  async #emit ({ instance, event, times, binary, yields }: Step & { do: 'emit' }): Promise<void> {
    for (let i = 0; i < times; i++) {
      this.#emitOne(instance, event, binary ? { bytes: Buffer.from(`${i}`) } : {})
      if (yields) await new Promise(resolve => { setImmediate(resolve) })
    }
  }

  #emitOne (instance: Instance, event: EventName, more: object): void {
    const n = ++this.#n
    const config = this.#configs.get(instance)
    const served = config?.enabled === true && (config.events.length === 0 || config.events.includes(event))
    for (const listener of this.#present) {
      if (listener.hears(instance, event) && (listener.at === null || served)) listener.due.push(n)
    }
    void this.#server.fastify.wsEvents.emit(instance, event, { n, ...more })
  }

  /** Emits in the same turn as a packet of a client arrives: just before it is in, or hears something else. */
  #interject (): void {
    for (const instance of INSTANCES) this.#emitOne(instance, 'call', {})
  }

  async #connect ({ at, spelling, transports, events }: Step & { do: 'connect' }): Promise<void> {
    if (at !== null && this.#configs.get(at)?.enabled !== true) return
    const name = at === null ? '' : spelling === 'encoded' ? encodeURIComponent(at) : spelling === 'slash' ? `${at}/` : at
    const options: ClientOptions = { auth: { events }, transports: transports === 'upgrading' ? ['polling', 'websocket'] : [transports], reconnection: false }
    const listener = new Listener(connect(this.#scope, `${this.#server.url}/${name}`, options), at, events)
    await admitted(listener.socket)
    this.listeners.push(listener)
  }

  async #subscribe (who: number, events: readonly EventName[]): Promise<void> {
    const listener = this.#present[who]
    if (listener === undefined) return
    const answer: unknown = await listener.socket.emitWithAck('subscribe', { events })
    assert.equal((answer as string[]).length, events.length === 0 ? 31 : events.length, 'the acknowledgement is the list in force')
    listener.filter = events
  }

  #leave (who: number): void {
    const listener = this.#present[who]
    if (listener === undefined) return
    listener.left = true
    listener.socket.disconnect()
  }

  async #set (instance: Instance, { enabled, events }: { enabled: boolean, events: readonly EventName[] }): Promise<void> {
    const ended = enabled ? [] : this.#present.filter(({ at }) => at === instance).map(async ({ socket }) => await disconnected(socket))
    const kept = !enabled && events.length === 0 ? this.#configs.get(instance)?.events : undefined
    await this.#server.fastify.wsEvents.set(instance, { enabled, events })
    this.#configs.set(instance, { enabled, events: kept ?? events })
    await Promise.all(ended)
  }

  /** @param squeezed so much is emitted that it is written at once, while parts of the host's packets wait */
  #hostEmits ({ times, squeezed }: Step & { do: 'host' }): void {
    for (let i = 0; i < times; i++) {
      const n = ++this.#n
      for (const listener of this.#present) if (listener.at === null) listener.hostDue.push(n)
      this.#io.of('/').emit('host', n, Buffer.from(`${n}`))
      if (squeezed) this.#emitOne('acme', 'call', { text: 'x'.repeat(300_000) })
    }
  }

  async check (): Promise<void> {
    for (const listener of this.listeners) {
      if (listener.left) {
        const { due } = listener
        assert.deepEqual(listener.heard.map(({ n }) => n), due.slice(0, listener.heard.length), 'one that left heard a beginning of what it was due')
        continue
      }
      await listener.caughtUp()
      assert.deepEqual(listener.heard.map(({ n }) => n), listener.due, 'one that stayed heard what it was due, in order')
      assert.deepEqual(listener.hostHeard, listener.hostDue, "and the host's, in order")
      if (listener.at !== null) assert.ok(listener.heard.every(({ from }) => from.startsWith(`${listener.at}/`)), 'and nothing of another instance')
    }
  }
}

// Nobody is too slow here: a client that polls may not have polled yet when the next of these large events comes.
const options = (fastPath: boolean) => ({ globalEvents: true, fastPath, limits: { queuedBytes: 0 } })

/** More runs in test/long. */
const FACTOR = IN_FULL ? 5 : 1

for (const fastPath of [true, false]) {
  t.test(`any interleaving delivers what is due, ${fastPath ? 'straight to the sockets' : "by Socket.IO's own way"}`, async t => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async steps => {
      const cleanups: Array<() => unknown> = []
      const scope: Scope = { teardown: clean => { cleanups.unshift(clean) } }
      try {
        const world = new World(scope, await startServer(scope, options(fastPath)))
        for (const step of steps) await world.take(step)
        await world.check()
      } finally {
        for (const clean of cleanups) await clean()
      }
    }), { numRuns: (fastPath ? 30 : 10) * FACTOR, timeout: 120_000 })
  })
}
