import { evolutionEvents } from 'fastify-ws-events'
import { EVENT } from './payload.js'

/** So many different filters of clients, all of which let the event through that is sent. */
export function filterSets (count: number): Array<{ readonly events: string[] }> {
  const others = Object.keys(evolutionEvents).filter(name => name !== EVENT)
  // Of n others there are n lists of one, n of two neighbours, and so on: no two of them alike.
  return Array.from({ length: count }, (_, index) => {
    const length = 1 + Math.floor(index / others.length)
    const padding = Array.from({ length }, (_, step) => others[(index + step) % others.length] as string)
    return { events: [EVENT, ...padding] }
  })
}
