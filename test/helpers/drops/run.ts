import { fork } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Server } from 'socket.io'
import type { Call, Order, Said } from './clients.js'
import { type Emitted, EVENTS, INSTANCES, LAST_EVENT, type Numbered, type Totals, type Way } from './plan.js'

/** A server that clients are cut from. */
export interface DropServer {
  readonly url: string
  readonly way: Way
  readonly io: Server
  emit (instance: string, event: string, data: Numbered): unknown
}

interface Options {
  readonly clients: number
  /** Of each client. */
  readonly cuts: number
  /** Events a second. */
  readonly rate: number
}

/** Longer than that takes nobody, in ms: two idle cores take half a minute. */
const MAX_WAIT = 900_000
const MAX_BURST = 20
/** How many bursts are rushes. */
const RUSHES = 1 / 6
const TEXT = 'às três, obrigado. '.repeat(40)

/** Options of Socket.IO: a client whose upgrade was cut at the wrong moment hears nothing any more, and finds that out by pings. */
export const PINGS = { pingInterval: 4000, pingTimeout: 4000 }

/** How long a key is checked, in ms. */
export const checking = async (): Promise<void> => { await sleep(Math.random() * 30) }

const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(Math.random() * items.length)] as Item

/** Emits at a rate, in bursts, until it is stopped. */
class Emission {
  readonly emitted: Emitted[] = []
  readonly #server: DropServer
  #stopped = false

  constructor (server: DropServer) {
    this.#server = server
  }

  async run (rate: number): Promise<void> {
    const start = performance.now()
    while (!this.#stopped) {
      const due = (performance.now() - start) / 1000 * rate
      if (Math.random() < RUSHES) await this.#rush()
      const instances = [pick(INSTANCES), pick(INSTANCES)]
      for (let at = 0; at < MAX_BURST && this.emitted.length < due; at++) this.#emit(pick(instances), pick(EVENTS))
      await sleep(Math.random() * 1000 * MAX_BURST / rate)
    }
  }

  /** To all, and more before the server is through with that. */
  async #rush (): Promise<void> {
    for (const instance of INSTANCES) this.#emit(instance, pick(EVENTS))
    for (let at = 0; at < 3; at++) {
      await sleep(1)
      for (const instance of INSTANCES.slice(0, 4)) this.#emit(instance, pick(EVENTS))
    }
  }

  #emit (instance: string, event: string): void {
    const number = this.emitted.push({ instance, event }) - 1
    void this.#server.emit(instance, event, { number, text: TEXT.slice(0, 50 + Math.random() * 650) })
  }

  emitLast (): void {
    for (const instance of INSTANCES) this.#emit(instance, LAST_EVENT)
  }

  stop (): void {
    this.#stopped = true
  }
}

/** The process of the clients. */
class Clients {
  readonly #process
  readonly #waiting = new Map<string, (said: Said) => void>()
  #fail: (error: Error) => void = () => {}
  readonly #failed: Promise<never>

  constructor (order: Order, endByServer: (id: string) => void) {
    const program = fileURLToPath(new URL('clients.ts', import.meta.url))
    this.#process = fork(program, [JSON.stringify(order)], { execArgv: [...process.execArgv, '--max-semi-space-size=32'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#failed = new Promise((resolve, reject) => { this.#fail = reject })
    this.#failed.catch(() => {})
    this.#process.once('exit', code => { this.#fail(new Error(`the clients ended with ${code}`)) })
    this.#process.on('message', (said: Said) => {
      if (said.say === 'end') endByServer(said.id)
      else this.#waiting.get(said.say)?.(said)
    })
  }

  tell (call: Call): void {
    this.#process.send(call)
  }

  async said (what: Said['say']): Promise<Said> {
    const timer = setTimeout(() => { this.#fail(new Error(`the clients have not said "${what}" after ${MAX_WAIT} ms`)) }, MAX_WAIT)
    try {
      return await Promise.race([new Promise<Said>(resolve => { this.#waiting.set(what, resolve) }), this.#failed])
    } finally {
      clearTimeout(timer)
    }
  }

  async totals (emitted: readonly Emitted[]): Promise<Totals> {
    const said = this.said('totals')
    this.tell({ judge: emitted })
    return (await said as Said & { say: 'totals' }).totals
  }

  end (): void {
    this.#process.kill('SIGKILL')
  }
}

/** Ends a connection after what waits for it has gone out, or at once. */
function endConnection ({ io }: DropServer, id: string): void {
  const { clients } = io.engine as unknown as { clients: Record<string, { close (discard?: boolean): void }> }
  clients[id]?.close(Math.random() < 0.5)
}

/** For half a minute, Engine.IO waits for a poll of a client that is gone, and so would the process at its end. */
function endPollingSoon ({ io }: DropServer): void {
  io.engine.on('connection', ({ transport }: { transport: { closeTimeout?: number } }) => { transport.closeTimeout = 1000 })
}

/** Cuts clients at random while events are emitted, until each was cut so often and is back, and tells what they have seen. */
export async function runDrops (server: DropServer, { clients: count, cuts, rate }: Options): Promise<Totals & { emitted: number }> {
  const clients = new Clients({ url: server.url, way: server.way, clients: count, cuts }, id => { endConnection(server, id) })
  const emission = new Emission(server)
  endPollingSoon(server)
  try {
    await clients.said('in')
    const running = emission.run(rate)
    const done = clients.said('done')
    clients.tell({ begin: true })
    await done
    emission.stop()
    await running
    emission.emitLast()
    await clients.totals(emission.emitted)
    // What came too often would have come before these.
    emission.emitLast()
    return { ...await clients.totals(emission.emitted), emitted: emission.emitted.length }
  } finally {
    emission.stop()
    clients.end()
  }
}
