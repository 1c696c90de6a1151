import fc from 'fast-check'
import { inTime } from '../../lib/in-time.js'
import type { WsEventsOptions } from '../../lib/index.js'
import type { Scope } from '../helpers/server.js'
import { Attack } from './attack.js'
import type { Call } from './draw/calls.js'
import { HEALTHY } from './draw/values.js'
import { type Kind, KINDS, type Session, session, sizeOf } from './draw/session.js'
import { type Fault, Faults } from './faults.js'
import { markerOf } from './keys.js'
import { ServerProcess } from './process.js'
import type { Found, State } from './server.js'
import { Witness } from './witness.js'

export interface Plan {
  readonly seed: number
  /** At least so many. */
  readonly inputs: number
  readonly options: WsEventsOptions
  /** The program of the server, see `bundleServer`. */
  readonly program: string
  /** Of all sessions only this one; left out: all. */
  readonly only?: number | undefined
}

export interface Outcome {
  readonly counts: Readonly<Record<Kind, number>>
  readonly sessions: number
  readonly faults: readonly Fault[]
  readonly found: Found
  /** Events that each healthy client was to get, and how often their connections were cut. */
  readonly events: number
  readonly witnesses: number
  readonly returns: number
  /** Before and after the most of the attack, in bytes. */
  readonly heap: readonly [before: number, after: number]
  readonly left: State
  readonly seconds: number
}

const AT_A_TIME = 24
/** Between two healthy events, in ms. */
const PAUSE = 10
/** Of all inputs, those before the heap is measured first. */
const WARM = 0.2
/** What the heap may grow by beside that: code that is compiled later, buffers. */
const ROOM = 24 * 1024 * 1024
/** How long may be left what an attack has opened, in ms: a polling client that vanished has its ping timeout. */
const SETTLED = 25_000
/** How long one session may take, in ms. */
const ENDS_WITHIN = 60_000
/** Connections of TCP that a polling client may have beside its connection of Engine.IO. */
const POLLS = 1
const TIMERS = 30

/** What every attacked server has: times that are short, so that what is left alone goes soon. */
const BASE: WsEventsOptions = {
  limits: { idleMs: 1500 },
  retention: { maxAge: 60_000, maxEvents: 3000, maxBytes: 1024 * 1024 },
  socketio: { pingInterval: 3000, pingTimeout: 5000, upgradeTimeout: 2000 }
}

/** Attacks one server with inputs that follow from a seed, while healthy clients listen. */
export async function fuzz (t: Scope, plan: Plan): Promise<Outcome> {
  const run = new Run(t, plan)
  return await run.outcome()
}

class Run {
  readonly #t: Scope
  readonly #plan: Plan
  readonly #marker: string
  readonly #faults = new Faults()
  readonly #counts = Object.fromEntries(KINDS.map(kind => [kind, 0])) as Record<Kind, number>
  readonly #server: ServerProcess
  readonly #underWay = new Set<number>()
  #witnesses: Witness[] = []
  #next = 0
  #drawn = 0
  #port = 0

  constructor (t: Scope, plan: Plan) {
    this.#t = t
    this.#plan = plan
    this.#marker = markerOf(plan.seed)
    this.#server = new ServerProcess(t, plan.program, what => { this.#faults.add(what, { suspects: [...this.#underWay] }) })
  }

  async outcome (): Promise<Outcome> {
    const began = performance.now()
    await this.#start()
    const before = await this.#server.call('state')
    await this.#server.call('emit', PAUSE)
    const { inputs, only } = this.#plan
    if (only !== undefined) {
      this.#next = only
      await this.#session()
    }
    await this.#attack(only === undefined ? inputs * WARM : 0)
    await this.#settled(before)
    const warm = await this.#server.call('heap')
    await this.#attack(only === undefined ? inputs : 0)
    const left = await this.#settled(before)
    const heap = await this.#server.call('heap')
    if (heap > warm + ROOM) this.#faults.add(`the heap grew from ${warm} to ${heap} bytes`)
    const events = await this.#heard()
    const found = await this.#server.call('found')
    this.#blameLog(found)
    const returns = this.#witnesses.reduce((sum, witness) => sum + witness.returns, 0)
    await this.#close()
    return {
      counts: this.#counts,
      sessions: this.#next,
      faults: this.#faults.all,
      found,
      events,
      witnesses: this.#witnesses.length,
      returns,
      heap: [warm, heap],
      left,
      seconds: (performance.now() - began) / 1000
    }
  }

  async #start (): Promise<void> {
    const options = { ...BASE, ...this.#plan.options }
    this.#port = await this.#server.call('start', { options, marker: this.#marker })
    const url = `http://127.0.0.1:${this.#port}`
    const at = (path: string, transport: 'websocket' | 'polling', auth: object = {}) => new Witness(this.#t, url + path, this.#marker, { transports: [transport], auth })
    this.#witnesses = [at(`/${HEALTHY}`, 'websocket'), at(`/${HEALTHY}`, 'polling')]
    if (options.globalEvents === true) this.#witnesses.push(at('/', 'websocket', { instances: [HEALTHY] }))
    await Promise.all(this.#witnesses.map(async witness => { await witness.ready() }))
  }

  /** Runs sessions until so many inputs were drawn. */
  async #attack (inputs: number): Promise<void> {
    await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
      while (this.#drawn < inputs) await this.#session()
    }))
  }

  async #session (): Promise<void> {
    const number = this.#next++
    const drawn = drawSession(this.#plan.seed, number)
    this.#drawn += sizeOf(drawn)
    this.#counts[drawn.kind] += sizeOf(drawn)
    this.#underWay.add(number)
    const target = {
      port: this.#port,
      marker: this.#marker,
      newestId: () => this.#witnesses[0]?.newestId ?? '',
      calls: async (calls: readonly Call[]) => await this.#server.call('calls', calls)
    }
    const blame = (what: string) => { this.#faults.add(what, { session: number, input: drawn }) }
    const attack = new Attack(target, (what, input) => { this.#faults.add(what, { session: number, input }) })
    await inTime(attack.run(drawn), ENDS_WITHIN).catch((error: unknown) => { blame(`the session has not ended as it should: ${String(error)}`) })
    this.#underWay.delete(number)
  }

  /** Waits until nothing is left of the attack, and resolves to what there is. */
  async #settled (before: State): Promise<State> {
    await this.#server.call('clean')
    const until = performance.now() + SETTLED
    for (;;) {
      const now = await this.#server.call('state')
      const isAsBefore = now.sockets <= before.connections + POLLS && now.connections <= before.connections && now.namespaces <= before.namespaces && now.clients === before.clients && (now.resources.Timeout ?? 0) <= (before.resources.Timeout ?? 0) + TIMERS
      if (isAsBefore) return now
      if (performance.now() > until) {
        this.#faults.add(`something is left of the attack: ${JSON.stringify(now)}, and before it ${JSON.stringify(before)}`)
        return now
      }
    }
  }

  async #heard (): Promise<number> {
    const events = await this.#server.call('stop')
    const all = Promise.all(this.#witnesses.map(async witness => { await witness.has(events - 1) }))
    await Promise.race([all, new Promise(resolve => { setTimeout(resolve, SETTLED).unref() })])
    for (const witness of this.#witnesses) for (const fault of witness.faults(events)) this.#faults.add(fault)
    return events
  }

  /** A server ends that nobody is connected to, whatever was done to it. */
  async #close (): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>(resolve => {
      timer = setTimeout(() => {
        this.#faults.add(`close() did not end within ${SETTLED} ms`)
        resolve()
      }, SETTLED)
    })
    await Promise.race([this.#server.call('close'), late])
    clearTimeout(timer)
    await this.#server.kill()
  }

  #blameLog ({ leaks, leaked, errors }: Found): void {
    for (const leak of leaks) this.#faults.add(`the log has a key in it: ${leak}`)
    if (leaked > leaks.length) this.#faults.add(`and ${leaked} lines of the log in all`)
    for (const error of errors) this.#faults.add(`an error in the log that nobody meant: ${error}`)
  }
}

/** A session by its number: the same for the same seed. */
export function drawSession (seed: number, number: number): Session {
  const [drawn] = fc.sample(session(markerOf(seed)), { seed: (seed + Math.imul(number + 1, 0x9e3779b1)) | 0, numRuns: 1 })
  return drawn as Session
}
