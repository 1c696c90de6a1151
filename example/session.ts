import type { FastifyInstance } from 'fastify'
import { readFileSync } from 'node:fs'

/** The instances of the recorded session. */
export const INSTANCES = ['acme', 'Teste 01', 'loja-ação', 'suporte_br']

/** Slow enough to be read. */
export const EVENTS_PER_SECOND = 4

export interface RecordedEvent {
  instance: string
  event: string
  sender: string
  data: unknown
}

function readSession (): RecordedEvent[] {
  const text = readFileSync(new URL('session.jsonl', import.meta.url), 'utf8')
  return text.trim().split('\n').map(line => JSON.parse(line) as RecordedEvent)
}

function * endlessly<Item> (items: readonly Item[]): Generator<Item, never> {
  while (true) yield * items
}

/** The events of the recorded session, again and again. */
export const recordedSession = (): Generator<RecordedEvent, never> => endlessly(readSession())

/** Plays the recorded session for ever, from `listen` until `close`. */
export function playSession (fastify: FastifyInstance): void {
  const session = recordedSession()
  let timer: NodeJS.Timeout | undefined

  function playNext (): void {
    const { instance, event, data, sender } = session.next().value
    // Not awaited, and nothing to catch: the order of the calls is kept, and the plugin logs what goes wrong.
    fastify.wsEvents.emit(instance, event, data, { sender })
  }

  fastify.addHook('onListen', async () => {
    timer = setInterval(playNext, 1000 / EVENTS_PER_SECOND)
  })
  fastify.addHook('preClose', async () => {
    clearInterval(timer)
  })
}
