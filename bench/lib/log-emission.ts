import type { LogRecord } from 'fastify-ws-events/stores'
import { setImmediate as nextTick, setTimeout as sleep } from 'node:timers/promises'
import type { OurPeer } from '../peers/ours.js'
import { cpuMicroseconds } from './emission.js'
import { INSTANCE, payloads } from './payload.js'
import { percentile } from './statistics.js'

/** The whole way of an event into the log, or only the log's own part of it. */
export type Level = 'emit' | 'append'

export interface EmitOptions {
  readonly level: Level
  readonly bytes: number
  /** Whether somebody has listened before, so that the memory log remembers. */
  readonly remembered: boolean
}

export interface EmitCostOptions extends EmitOptions {
  readonly events: number
  readonly warmUp: number
}

/** For each event, in µs. */
export interface Cost {
  readonly cpu: number
  readonly wall: number
}

const PER_TICK = 20
/** Events between two of which it is looked whether they are remembered. */
const BLOCK = 500
/** Blocks that may be on their way into the log. */
const OPEN_BLOCKS = 4

/** Emits without awaiting each, with nobody there. */
export async function emitCost (ours: OurPeer, { events, warmUp, ...options }: EmitCostOptions): Promise<Cost> {
  const send = await sender(ours, options)
  await sendAll(ours, send, warmUp)
  const start = performance.now()
  const cpuStart = cpuMicroseconds()
  await sendAll(ours, send, events)
  return { cpu: (cpuMicroseconds() - cpuStart) / events, wall: (performance.now() - start) * 1000 / events }
}

/** Resolves when all are remembered. */
export async function sendAll ({ log, wsEvents }: OurPeer, send: () => unknown, events: number): Promise<void> {
  const open: unknown[] = []
  const rejected = wsEvents.stats().emit.rejected
  for (let sent = 0; sent < events;) {
    for (let i = 0; i < PER_TICK && sent < events; i++) {
      const result = send()
      if (++sent % BLOCK === 0) open.push(result)
    }
    if (open.length > OPEN_BLOCKS) await open.shift()
    await nextTick()
  }
  await log.drained()
  if (wsEvents.stats().emit.rejected > rejected) throw new Error('events were not emitted')
}

/** What takes one event of some that are alike. */
async function sender (ours: OurPeer, { level, bytes, remembered }: EmitOptions): Promise<() => unknown> {
  if (remembered) ours.log.watch(INSTANCE, () => {}).close()
  let sent = 0
  if (level === 'emit') {
    const pool = payloads(bytes)
    return () => ours.emit(pool[sent++ & 15] as object)
  }
  const records = await recordsOf(ours, bytes)
  const streams = [INSTANCE]
  return () => ours.log.append(streams, records[sent++ & 15] as LogRecord)
}

/** Events as they come to the log. */
async function recordsOf (ours: OurPeer, bytes: number): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  const watch = ours.log.watch(INSTANCE, ({ event, instance, rest, attachments }) => { records.push({ event, instance, rest, attachments }) })
  for (const data of payloads(bytes)) await ours.emit(data)
  await ours.log.drained()
  watch.close()
  return records
}

export interface AwaitedOptions extends EmitOptions {
  readonly events: number
}

/** Emits one, waits for it, and lets some time pass. @returns how long one takes, in ms */
export async function awaitedEmit (ours: OurPeer, { events, ...options }: AwaitedOptions): Promise<{ p50: number, p99: number }> {
  const send = await sender(ours, options)
  const took: number[] = []
  for (let i = 0; i < events; i++) {
    const start = performance.now()
    await send()
    took.push(performance.now() - start)
    await sleep(2)
  }
  return { p50: percentile(took, 50), p99: percentile(took, 99) }
}
