import fc from 'fast-check'
import { inTime } from '../../lib/host/in-time.js'
import type { WsEventsOptions } from '../../lib/index.js'
import type { Scope } from '../helpers/server.js'
import type { LimitName } from '../../lib/limits/limits.js'
import { Attack } from './attack.js'
import type { Call } from './draw/calls.js'
import { HEALTHY } from './draw/values.js'
import { type Kind, KINDS, type Session, session, sizeOf } from './draw/session.js'
import { type Fault, Faults } from './faults.js'
import { markerOf } from './keys.js'
import type { Flood, Histories } from './floods.js'
import { ServerProcess } from './process.js'
import type { Found, State } from './server.js'
import { Witness } from './witness.js'

export interface Plan {
  readonly seed: number
  /** At least so many. */
  readonly inputs: number
  readonly options: WsEventsOptions
  /** The limits that are to be reached. */
  readonly limits: readonly LimitName[]
  /** The program of the server, see `bundleServer`. */
  readonly program: string
  /** Of all sessions only this one; left out: all. */
  readonly only?: number | undefined
}

export interface Outcome {
  readonly counts: Readonly<Record<Kind, number>>
  readonly sessions: number
  readonly faults: readonly Fault[]
  /** `null` when the server has not lived to tell. */
  readonly found: Found | null
  /** Events that each healthy client was to get. */
  readonly events: number
  readonly witnesses: number
  /** Why the connections of healthy clients have ended meanwhile. */
  readonly cuts: readonly string[]
  /** Before and after the most of the attack, in bytes. */
  readonly heap: readonly [before: number, after: number]
  /** What there is when everybody has left. */
  readonly left: State | null
  readonly seconds: number
}

/** Where the healthy clients say that they come from, and nobody else. */
const HEALTHY_ADDRESS = '192.0.2.1'
const AT_A_TIME = 24
/** Between two healthy events, in ms. */
const PAUSE = 10
/** Of all inputs, those before the heap is measured first; with few, it is measured before all. */
const WARM = 0.2
const LONG = 3000
/** How often half of the inputs are added, at most, until each limit was reached. */
const MOST_TIMES = 8
/** What the heap may grow by beside that: code that is compiled later, buffers. */
const ROOM = 24 * 1024 * 1024
/** How long may be left what an attack has opened, in ms: a polling client that vanished has its ping timeout. */
const SETTLED = 25_000
/** How long one session may take, in ms: a few seconds on idle cores. */
const ENDS_WITHIN = 300_000
/** How long the server may do nothing but one thing, in ms of the processor. */
const LONGEST_TURN = 4000
/** To look again, in ms, whether anything is left. */
const LOOK_AGAIN = 50
/** Timers that a server may have more than at its start, when everybody has left: of its stores, and for dates of HTTP. */
const TIMERS = 8

const IDLE = { idleMs: 1500 }
/** What every attacked server has: times that are short, so that what is left alone goes soon. */
export const BASE: WsEventsOptions = {
  limits: IDLE,
  // The root's stream has the events of all, and the healthy client there may have to come back.
  retention: { maxAge: 600_000, maxEvents: 20_000, maxBytes: 16 * 1024 * 1024 },
  socketio: { pingInterval: 1500, pingTimeout: 4000, upgradeTimeout: 2000 }
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
  #found: Found | null = null
  #events = 0
  #heap: [number, number] = [0, 0]
  #left: State | null = null
  #cuts: string[] = []
  #histories: Histories = { 'fuzz-small': '', 'fuzz-large': '' }
  #addresses = 0

  constructor (t: Scope, plan: Plan) {
    this.#t = t
    this.#plan = plan
    this.#marker = markerOf(plan.seed)
    this.#server = new ServerProcess(t, plan.program, what => { this.#faults.add(what, { suspects: [...this.#underWay] }) })
  }

  async outcome (): Promise<Outcome> {
    const began = performance.now()
    try {
      await this.#run()
    } catch (error) {
      this.#faults.add(`it could not go on: ${String(error)}`, { suspects: [...this.#underWay] })
    }
    await this.#server.kill()
    for (const witness of this.#witnesses) witness.leave()
    return {
      counts: this.#counts,
      sessions: this.#next,
      faults: this.#faults.all,
      found: this.#found,
      events: this.#events,
      witnesses: this.#witnesses.length,
      cuts: this.#cuts,
      heap: this.#heap,
      left: this.#left,
      seconds: (performance.now() - began) / 1000
    }
  }

  async #run (): Promise<void> {
    const options = { ...BASE, ...this.#plan.options, limits: { ...IDLE, ...this.#plan.options.limits } }
    this.#port = await this.#server.call('start', { options, marker: this.#marker })
    await this.#prepare()
    const alone = await this.#server.call('state')
    await this.#healthy(options)
    const before = await this.#server.call('state')
    await this.#server.call('emit', PAUSE)
    const { inputs, only } = this.#plan
    if (only !== undefined) {
      this.#next = only
      await this.#session()
    }
    if (inputs >= LONG) {
      await this.#attack(only === undefined ? inputs * WARM : 0)
      await this.#settled(before)
    }
    const warm = await this.#server.call('heap')
    await this.#attack(only === undefined ? inputs : 0)
    if (only === undefined) await this.#reachLimits(inputs)
    await this.#settled(before)
    this.#heap = [warm, await this.#server.call('heap')]
    if (this.#heap[1] > warm + ROOM) this.#faults.add(`the heap grew from ${warm} to ${this.#heap[1]} bytes`)
    await this.#heard()
    this.#found = await this.#server.call('found')
    this.#blameLog(this.#found)
    if (this.#found.delay > LONGEST_TURN) this.#faults.add(`a turn of the event loop took ${this.#found.delay} ms of the processor`)
    this.#cuts = this.#witnesses.flatMap(({ cuts }) => cuts)
    for (const witness of this.#witnesses) witness.leave()
    this.#left = await this.#isLeft(now => now.sockets === 0 && now.connections === 0 && now.clients === 0 && now.namespaces <= alone.namespaces && timers(now) <= timers(alone) + TIMERS, alone)
    await this.#close()
  }

  async #prepare (): Promise<void> {
    if (this.#plan.limits.length > 0) this.#histories = await this.#server.call('prepare')
  }

  /** An address that nobody else has, but one who comes long after. */
  #nextAddress (): string {
    const number = this.#addresses++
    return `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`
  }

  async #healthy (options: WsEventsOptions): Promise<void> {
    const url = `http://127.0.0.1:${this.#port}`
    const at = (path: string, transport: 'websocket' | 'polling', auth: object = {}) => new Witness(this.#t, url + path, this.#marker, { transports: [transport], auth, extraHeaders: { 'X-Forwarded-For': HEALTHY_ADDRESS } })
    this.#witnesses = [at(`/${HEALTHY}`, 'websocket'), at(`/${HEALTHY}`, 'polling')]
    if (options.globalEvents === true) this.#witnesses.push(at('/', 'websocket', { instances: [HEALTHY] }))
    await Promise.all(this.#witnesses.map(async witness => { await witness.ready() }))
  }

  /** Runs sessions until so many inputs were drawn. */
  async #attack (inputs: number): Promise<void> {
    await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
      while (this.#drawn < inputs && !this.#server.hasEnded) await this.#session()
    }))
  }

  /** Goes on while a limit was not reached: on a busy machine most of what an input means to reach it with may be late. */
  async #reachLimits (inputs: number): Promise<void> {
    for (let times = 1; times <= MOST_TIMES && !this.#server.hasEnded; times++) {
      const { stats: { limits } } = await this.#server.call('found')
      if (this.#plan.limits.every(name => limits[name] > 0)) return
      await this.#attack(inputs * (1 + times / 2))
    }
  }

  async #session (): Promise<void> {
    const number = this.#next++
    const { seed, limits } = this.#plan
    const drawn = drawSession(seed, number, limits)
    this.#drawn += sizeOf(drawn)
    this.#counts[drawn.kind] += sizeOf(drawn)
    this.#underWay.add(number)
    const target = {
      port: this.#port,
      marker: this.#marker,
      from: limits.length === 0 ? undefined : this.#nextAddress(),
      nextAddress: () => this.#nextAddress(),
      histories: this.#histories,
      flood: async (flood: Flood) => { await this.#server.call('flood', flood) },
      newestId: () => this.#witnesses[0]?.newestId ?? '',
      calls: async (calls: readonly Call[]) => await this.#server.call('calls', calls)
    }
    const blame = (what: string) => { this.#faults.add(what, { session: number, input: drawn }) }
    const attack = new Attack(target, (what, input) => { this.#faults.add(what, { session: number, input }) })
    await inTime(attack.run(drawn), ENDS_WITHIN).catch((error: unknown) => { blame(`the session has not ended as it should: ${String(error)}`) })
    this.#underWay.delete(number)
  }

  /** Waits until nothing is left of the attack but what the healthy clients have. */
  async #settled (before: State): Promise<void> {
    await this.#server.call('clean')
    await this.#isLeft(now => now.connections <= before.connections && now.namespaces <= before.namespaces && now.clients === before.clients, before)
    await this.#prepare()
  }

  /** Waits until there is no more than there may be, and resolves to what there is. */
  async #isLeft (isAll: (now: State) => boolean, before: State): Promise<State> {
    const until = performance.now() + SETTLED
    for (;;) {
      const now = await this.#server.call('state')
      if (isAll(now)) return now
      if (performance.now() > until) {
        this.#faults.add(`something is left of the attack: ${JSON.stringify(now)}, and before it ${JSON.stringify(before)}`)
        return now
      }
      await new Promise(resolve => { setTimeout(resolve, LOOK_AGAIN) })
    }
  }

  async #heard (): Promise<void> {
    const events = this.#events = await this.#server.call('stop')
    const all = Promise.all(this.#witnesses.map(async witness => { await witness.has(events - 1) }))
    // Who has missed some is told below what.
    await inTime(all, SETTLED).catch(() => {})
    for (const witness of this.#witnesses) for (const fault of witness.faults(events)) this.#faults.add(fault)
  }

  /** A server ends, whatever was done to it. */
  async #close (): Promise<void> {
    try {
      await inTime(this.#server.call('close'), SETTLED)
    } catch (error) {
      this.#faults.add(`close() has not ended as it should: ${String(error)}, with ${JSON.stringify(await this.#server.call('state'))}`)
    }
  }

  #blameLog ({ leaks, leaked, errors }: Found): void {
    for (const leak of leaks) this.#faults.add(`the log has a key in it: ${leak}`)
    if (leaked > leaks.length) this.#faults.add(`and ${leaked} lines of the log in all`)
    for (const error of errors) this.#faults.add(`an error in the log that nobody meant: ${error}`)
  }
}

// Map(marker -> what its sessions are drawn from), because to put that together costs more than to draw one
const sessions = new Map<string, fc.Arbitrary<Session>>()

function sessionsOf (marker: string, limits: readonly LimitName[]): fc.Arbitrary<Session> {
  const known = sessions.get(marker) ?? session(marker, limits)
  sessions.set(marker, known)
  return known
}

const timers = ({ resources }: State): number => resources.Timeout ?? 0

/** A session by its number: the same for the same seed. */
export function drawSession (seed: number, number: number, limits: readonly LimitName[]): Session {
  const [drawn] = fc.sample(sessionsOf(markerOf(seed), limits), { seed: (seed + Math.imul(number + 1, 0x9e3779b1)) | 0, numRuns: 1 })
  return drawn as Session
}
