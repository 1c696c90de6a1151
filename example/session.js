import { readFileSync } from 'node:fs'

/** The instances of the recorded session. */
export const INSTANCES = ['acme', 'Teste 01', 'loja-ação', 'suporte_br']

/** @typedef {{ instance: string, event: string, sender: string, data: unknown }} RecordedEvent */

/** @returns {RecordedEvent[]} */
function readSession () {
  const text = readFileSync(new URL('session.jsonl', import.meta.url), 'utf8')
  return text.trim().split('\n').map(line => JSON.parse(line))
}

/**
 * @template Item
 * @param {readonly Item[]} items
 * @returns {Generator<Item, never>}
 */
function * endlessly (items) {
  while (true) yield * items
}

/** The events of the recorded session, again and again. */
export const recordedSession = () => endlessly(readSession())
