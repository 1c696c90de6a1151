import type { WsEvents } from 'fastify-ws-events'
import { setImmediate as nextTick } from 'node:timers/promises'
import { EVENT, INSTANCE, payload } from './payload.js'

export interface EmitToEach {
  readonly instances: number
  /** Events of each instance; 0 only sets them. */
  readonly events: number
}

export const instanceOf = (index: number): string => `instance-${index}`

/** The names of so many instances; left out: of the one that most sections have. */
export const namesOf = (count: number | undefined): readonly string[] =>
  count === undefined ? [INSTANCE] : Array.from({ length: count }, (_, index) => instanceOf(index))

/** @returns a function that answers the items one after the other, and again */
export function inTurn<Item> (items: readonly Item[]): () => Item {
  let next = 0
  return () => items[next++ % items.length] as Item
}

/** Sets instances, and emits to each of them. */
export async function emitToEach (wsEvents: WsEvents, { instances, events }: EmitToEach): Promise<void> {
  const data = payload(300)
  for (let index = 0; index < instances; index++) {
    if (events === 0) await wsEvents.set(instanceOf(index), { enabled: true })
    for (let i = 0; i < events; i++) void wsEvents.emit(instanceOf(index), EVENT, { from: instanceOf(index), ...data })
    if (index % 100 === 0) await nextTick()
  }
}
