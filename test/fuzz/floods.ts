import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { WsEvents } from '../../lib/index.js'

/** Of each instance with a history, the id of its first event. */
export type Histories = Readonly<Record<'fuzz-small' | 'fuzz-large', string>>

export interface Flood {
  readonly large: boolean
  readonly count: number
  /** In one tick, after which nobody looks at who reads. */
  readonly atOnce?: boolean
}

/** The largest message that is small, about. */
const SMALL = 'x'.repeat(60 * 1024)
/** No multiple of the small one, so that what waits behind some of these differs. */
const OF_HISTORY = 'x'.repeat(920 * 1024)
const LARGE = 'x'.repeat(900 * 1024)
const EVENT = 'messages.update'
/** So much of each history that the kernel does not take all of it for a client that reads nothing. */
const BYTES = 9 * 1024 * 1024

/** A stream of an instance, because the memory store remembers only what somebody has listened to. */
async function listen (url: string, instance: string, apikey: string): Promise<() => void> {
  const outgoing = get(`${url}/instance/${instance}/events`, { agent: false, headers: { apikey, accept: 'text/event-stream' } })
  outgoing.on('error', () => {})
  const [response] = await once(outgoing, 'response') as [IncomingMessage]
  response.on('error', () => {}).resume()
  return () => { response.destroy() }
}

async function fill (wsEvents: WsEvents, instance: string, text: string): Promise<string> {
  const { id } = await wsEvents.emit(instance, EVENT, 'first')
  for (let bytes = 0; bytes < BYTES; bytes += text.length) {
    await wsEvents.emit(instance, EVENT, text)
    // Others have their turn.
    await new Promise(resolve => { setImmediate(resolve) })
  }
  return id ?? ''
}

/** Sets what clients need to be in each state for long: histories to recover, an instance that is muted, one for each kind of flood. */
export async function prepare (wsEvents: WsEvents, url: string, apikey: string): Promise<Histories> {
  for (const name of ['fuzz-small', 'fuzz-large', 'fuzz-flow', 'fuzz-gush', 'fuzz-full']) await wsEvents.set(name, { enabled: true })
  await wsEvents.set('fuzz-muted', { enabled: false })
  const leave = [await listen(url, 'fuzz-small', apikey), await listen(url, 'fuzz-large', apikey)]
  const histories = { 'fuzz-small': await fill(wsEvents, 'fuzz-small', SMALL), 'fuzz-large': await fill(wsEvents, 'fuzz-large', OF_HISTORY) }
  for (const each of leave) each()
  return histories
}

/** Emits more than may wait for a client that reads nothing. */
export async function flood (wsEvents: WsEvents, { large, count, atOnce = false }: Flood): Promise<void> {
  for (let time = 0; time < count; time++) {
    const emitted = wsEvents.emit(large ? 'fuzz-gush' : 'fuzz-flow', EVENT, large ? LARGE : SMALL)
    if (atOnce) continue
    await emitted
    await new Promise(resolve => { setImmediate(resolve) })
  }
}
