import type { FastifyInstance } from 'fastify'
import { readFileSync } from 'node:fs'
import { brotliDecompressSync } from 'node:zlib'

/** The instances of the recorded session. */
export const INSTANCES = ['acme', 'Teste 01', 'loja-ação', 'suporte_br']

/** Slow enough for a reader to follow. */
export const EVENTS_PER_SECOND = 4

interface RecordedEvent {
  readonly instance: string
  readonly event: string
  readonly sender: string
  readonly data: unknown
}

/**
 * Reads the recorded session from a file beside this module, which `.ci/build.js` makes from the example's recording.
 */
function readSession (): RecordedEvent[] {
  const text = brotliDecompressSync(readFileSync(new URL('session.jsonl.br', import.meta.url))).toString()
  return text.trim().split('\n').map(line => JSON.parse(line) as RecordedEvent)
}

function * endlessly<Item> (items: readonly Item[]): Generator<Item, never> {
  while (true) yield * items
}

/** Emits the recorded session repeatedly, from `listen` until `close`. */
export function playSession (fastify: FastifyInstance): void {
  const session = endlessly(readSession())
  let timer: NodeJS.Timeout | undefined

  function playNext (): void {
    const { instance, event, data, sender } = session.next().value
    // Not awaited: `emit` keeps the order of the calls, and logs its errors.
    void fastify.wsEvents.emit(instance, event, data, { sender })
  }

  fastify.addHook('onListen', async () => {
    timer = setInterval(playNext, 1000 / EVENTS_PER_SECOND)
  })
  fastify.addHook('preClose', async () => {
    clearInterval(timer)
  })
}
