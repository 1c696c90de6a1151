import type { WsEvents } from 'fastify-ws-events'
import { setImmediate as nextTick } from 'node:timers/promises'
import { EVENT, payload } from './payload.js'

export interface EmitToEach {
  readonly instances: number
  /** Events of each instance; 0 only sets them. */
  readonly events: number
}

export const instanceOf = (index: number): string => `instance-${index}`

/** Sets instances, and emits to each of them. */
export async function emitToEach (wsEvents: WsEvents, { instances, events }: EmitToEach): Promise<void> {
  const data = payload(300)
  for (let index = 0; index < instances; index++) {
    if (events === 0) await wsEvents.set(instanceOf(index), { enabled: true })
    for (let i = 0; i < events; i++) void wsEvents.emit(instanceOf(index), EVENT, { from: instanceOf(index), ...data })
    if (index % 100 === 0) await nextTick()
  }
}
