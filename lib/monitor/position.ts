import { type Static, Type } from '@sinclair/typebox'
import { inTime, STORE_PATIENCE } from '../host/in-time.js'
import type { EventLog, StreamName } from '../log/event-log.js'
import { epochOf, idFrom, isId, sequenceOf, timeOf } from '../log/ids.js'

/** How exactly the beginning of a history is found, in ms. */
const EXACTNESS = 250
/** The greatest number of an id within its ms. */
const LAST_SEQUENCE = 36 ** 4 - 1

export const positionSchema = Type.Object({
  /** What a page of history begins after. */
  lastEventId: Type.String(),
  /** The time of it: ISO 8601, UTC. */
  time: Type.String(),
  /** Whether everything since the time that was asked for is stored. */
  complete: Type.Boolean()
})

export type Position = Static<typeof positionSchema>

/**
 * Finds what a page of history begins after: a time, or, where the stream does not reach back to it, the earliest time
 * that it does reach back to.
 *
 * @param since in ms since 1970
 * @throws STORE_UNAVAILABLE
 */
export async function positionAt (log: EventLog, stream: StreamName, since: number): Promise<Position> {
  return await watched(log, stream, async () => {
    const head = log.head(stream)
    // A store of the host's may have ids of its own making.
    if (!isId(head)) return { lastEventId: head, time: new Date().toISOString(), complete: false }
    const end = timeOf(head)
    const idAt = (time: number): string => time >= end ? head : idFrom(time, 0, epochOf(head))
    const reaches = async (time: number): Promise<boolean> => await log.read(stream, idAt(time), 1) !== 'gap'
    let early = Math.min(Math.max(since, 0), end)
    const complete = await reaches(early)
    let late = complete ? early : end
    while (late - early > EXACTNESS) {
      const middle = Math.floor((early + late) / 2)
      if (await reaches(middle)) late = middle
      else early = middle
    }
    return { lastEventId: idAt(late), time: new Date(late).toISOString(), complete }
  })
}

/** The greatest id that is less than another: a page after it begins with that event. */
export function positionBefore (id: string): Position | null {
  if (!isId(id)) return null
  const time = timeOf(id)
  const sequence = sequenceOf(id)
  const before = sequence > 0 ? idFrom(time, sequence - 1, epochOf(id)) : idFrom(time - 1, LAST_SEQUENCE, epochOf(id))
  return { lastEventId: before, time: new Date(time).toISOString(), complete: true }
}

/** While a stream is watched, its newest id is known. */
async function watched<Result> (log: EventLog, stream: StreamName, act: () => Promise<Result>): Promise<Result> {
  const watch = log.watch(stream, () => {})
  try {
    if (watch.ready !== undefined) await inTime(watch.ready, STORE_PATIENCE)
    return await act()
  } finally {
    watch.close()
  }
}
