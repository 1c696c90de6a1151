import { setImmediate as nextTick, setTimeout as sleep } from 'node:timers/promises'
import type { Peer } from '../peers/peer.js'
import type { Control } from './control.js'
import { payloads } from './payload.js'
import { type Load, windowOf } from './window.js'

export interface BurstOptions extends Load {
  /** How much CPU this process is to spend, in ms; left out: only time ends it. */
  readonly cpuMs?: number
  /** How long it may take, in ms; left out: {@link MAX_WALL}. */
  readonly wallMs?: number
}

export interface BurstResult {
  readonly events: number
  /** Of this process, in µs, from the first emit until the clients had received everything. */
  readonly cpu: number
  /** In µs. */
  readonly wall: number
}

/** To ask for the CPU time can take 0.1 ms, which small loads would notice. In µs. */
const LOOK_EVERY = 50_000
/** No single measurement takes longer, in ms. */
const MAX_WALL = 15_000

const microseconds = (): number => Number(process.hrtime.bigint() / 1000n)

export function cpuMicroseconds (): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Emits as fast as the clients follow. */
export async function burst (peer: Peer, control: Control, options: BurstOptions): Promise<BurstResult> {
  const { perTick, cpuMs = Infinity, wallMs = MAX_WALL, bytes } = options
  const window = windowOf(options)
  const pool = payloads(bytes)
  control.reset()
  const start = microseconds()
  const cpuStart = cpuMicroseconds()
  let events = 0
  let spent = 0
  let nextLook = start
  do {
    for (let inBlock = 0; inBlock < window.block; inBlock += perTick) {
      const mayBeOpen = events + perTick - window.events
      if (mayBeOpen > 0) await control.reached(Math.ceil(mayBeOpen / window.block))
      for (let i = 0; i < perTick; i++) void peer.emit(pool[events++ & 15] as object)
      await nextTick()
    }
    if (microseconds() >= nextLook) {
      spent = cpuMicroseconds() - cpuStart
      nextLook = microseconds() + LOOK_EVERY
    }
  } while (spent < cpuMs * 1000 && microseconds() - start < wallMs * 1000)
  await control.reached(events / window.block)
  return { events, cpu: cpuMicroseconds() - cpuStart, wall: microseconds() - start }
}

export interface SteadyOptions extends Load {
  /** Events a second. */
  readonly rate: number
  readonly events: number
  /** Stops when the process has grown by so many bytes. */
  readonly maxGrowth?: number
}

export interface SteadyResult {
  readonly events: number
  readonly cpu: number
  readonly wall: number
  /** Bytes that the process was larger at its largest than at the start. */
  readonly growth: number
}

/**
 * Emits at a rate. Each event carries the time at which it was due, and not the time at which the server got round
 * to it: so a server that falls behind cannot hide it.
 */
export async function steady (peer: Peer, control: Control, options: SteadyOptions): Promise<SteadyResult> {
  const { rate, bytes, perTick, maxGrowth = Infinity } = options
  const window = windowOf(options)
  const total = Math.ceil(options.events / window.block) * window.block
  const pool = payloads(bytes - STAMP_BYTES)
  control.reset()
  const rssBefore = process.memoryUsage.rss()
  let growth = 0
  const cpuStart = cpuMicroseconds()
  const start = microseconds()
  let events = 0
  for (let turn = 0; events < total && growth < maxGrowth; turn++) {
    const due = Math.min(total, Math.floor((microseconds() - start) / 1e6 * rate) + 1, events + perTick)
    if (due <= events) await sleep(Math.max(1, Math.floor((start - microseconds()) / 1000 + events / rate * 1000)))
    else if (due - window.events > control.acks * window.block) await control.reached(Math.ceil((due - window.events) / window.block))
    while (events < due) {
      const stamp = start + Math.floor(events / rate * 1e6)
      void peer.emit({ t: String(stamp).padStart(STAMP_DIGITS, '0'), ...pool[events++ & 15] })
    }
    await nextTick()
    if (turn % 32 === 0) growth = Math.max(growth, process.memoryUsage.rss() - rssBefore)
  }
  await control.reached(Math.floor(events / window.block))
  growth = Math.max(growth, process.memoryUsage.rss() - rssBefore)
  return { events, cpu: cpuMicroseconds() - cpuStart, wall: microseconds() - start, growth }
}

/** The time in µs of the machine's monotonic clock, which all processes share. */
export const STAMP_DIGITS = 16
const STAMP_BYTES = '"t":"",'.length + STAMP_DIGITS
