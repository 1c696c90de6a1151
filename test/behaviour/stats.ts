import type { Stats } from '../../lib/index.js'

/** What the table counts, by the name that its page gives it. The one place that knows the shape of `stats()`. */
export function countersOf ({ clients, limits, delivery }: Stats): Map<string, number> {
  return new Map([
    ...Object.entries(clients.refused).map(([code, count]) => [`refused.${code}`, count] as const),
    ...Object.entries(limits).map(([limit, count]) => [`limits.${limit}`, count] as const),
    ['slowConsumers', delivery.slowConsumers]
  ])
}

/** Connections that carry a client now. */
export const connectionsIn = ({ clients }: Stats): number => clients.connections

/** Connections that were ended because too much waited for them. */
export const slowIn = ({ delivery }: Stats): number => delivery.slowConsumers

/** What has grown, as the page says it: names, and how often where that is more than once. */
export function growth (before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string {
  const grown = [...after]
    .map(([name, count]) => ({ name, by: count - (before.get(name) ?? 0) }))
    .filter(({ by }) => by !== 0)
    .map(({ name, by }) => by === 1 ? name : `${name} × ${by}`)
  return grown.length === 0 ? 'nothing' : grown.join(', ')
}
