import type { OurPeer } from '../peers/ours.js'
import { cpuMicroseconds } from './emission.js'
import type { Cost } from './log-emission.js'
import { sendAll } from './log-emission.js'
import { INSTANCE, payloads } from './payload.js'

export interface FillOptions {
  readonly bytes: number
  readonly events: number
  /** Those of them that are the end. */
  readonly last: number
}

/** Ids to resume after. */
export interface Past {
  readonly all: string
  /** So that the last ones come. */
  readonly last: string
}

/** Emits a past that is remembered for as long as this process lives. */
export async function fill (ours: OurPeer, { bytes, events, last }: FillOptions): Promise<Past> {
  const { log } = ours
  const pool = payloads(bytes)
  await log.watch(INSTANCE, () => {}).ready
  const head = () => log.head(INSTANCE)
  const all = head()
  let sent = 0
  const send = () => ours.emit(pool[sent++ & 15] as object)
  await sendAll(ours, send, events - last)
  const beforeLast = head()
  await sendAll(ours, send, last)
  return { all, last: beforeLast }
}

export interface ReadOptions {
  readonly after: string
  readonly events: number
}

/** Bytes that a replay reads at once. */
const PAGE_BYTES = 64 * 1024

/** Reads all that came after an id, and does nothing with it. */
export async function readPast ({ log }: OurPeer, { after, events }: ReadOptions): Promise<Cost> {
  const start = performance.now()
  const cpuStart = cpuMicroseconds()
  let read = 0
  for (let from = after; ;) {
    const page = await log.read(INSTANCE, from, PAGE_BYTES)
    if (page === 'gap') throw new Error('the past is not there')
    const end = page.at(-1)
    if (end === undefined) break
    read += page.length
    from = end.id
  }
  if (read !== events) throw new Error(`${read} of ${events} events were read`)
  return { cpu: (cpuMicroseconds() - cpuStart) / read, wall: (performance.now() - start) * 1000 / read }
}
