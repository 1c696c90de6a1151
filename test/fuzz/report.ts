import type { ReasonName } from '../../lib/gateway/reasons.js'
import type { LimitName } from '../../lib/limits/limits.js'
import { cellOf, requiredCells, STATES, type Way, WAYS } from './cells.js'
import type { Outcome } from './fuzz.js'

const MIB = 1024 * 1024
const MOST = 2000

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((all, number) => all + number, 0)
const inputsOf = ({ counts }: Outcome): number => sum(Object.values(counts))

/** What became of one server. */
export function describe (name: string, seed: number, outcome: Outcome): string {
  const { counts, sessions, faults, found, events, witnesses, cuts, heap, left, seconds } = outcome
  const kinds = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`).join(', ')
  const { stats, lines, leaked, delay } = found ?? { stats: null, lines: 0, leaked: 0, delay: 0 }
  const refused = Object.entries(stats?.clients.refused ?? {}).map(([code, count]) => `${count} ${code}`).join(', ')
  return [
    `${name}: ${inputsOf(outcome)} inputs in ${sessions} sessions, ${seconds.toFixed(1)} s: ${kinds}`,
    `  admitted ${stats?.clients.admitted ?? 0}; refused ${refused}; emitted ${stats?.emit.accepted ?? 0}, rejected ${stats?.emit.rejected ?? 0}; handled ${stats?.clients.received.handled ?? 0}, dropped ${stats?.clients.received.dropped ?? 0}`,
    `  ${witnesses} healthy clients, ${events} events each, ${cuts.length} cuts${cuts.length === 0 ? '' : ` (${[...new Set(cuts)].join(', ')})`}; the longest turn of the event loop ${delay.toFixed(0)} ms of the processor; heap ${heap.map(bytes => (bytes / MIB).toFixed(1)).join(' -> ')} MiB; left ${left?.sockets ?? '?'} sockets, ${left?.connections ?? '?'} connections, ${left?.namespaces ?? '?'} namespaces, ${left?.clients ?? '?'} clients; ${lines} lines of log, ${leaked} with a key`,
    ...faults.map(({ what, times, session, input, suspects }) => [
      `  FAULT (${times} times): ${what}`,
      session === null ? `    sessions under way: ${suspects.join(' ')}` : `    again by: npm run fuzz -- --seed ${seed} --target ${name} --session ${session}`,
      ...(input === undefined ? [] : [`    input: ${JSON.stringify(input).slice(0, MOST)}`])
    ].join('\n'))
  ].join('\n')
}

/** What became of all. */
export function total (seed: number, outcomes: readonly Outcome[], seconds: number): string {
  const [inputs, faults, events] = [sum(outcomes.map(inputsOf)), sum(outcomes.map(outcome => outcome.faults.length)), sum(outcomes.map(outcome => outcome.events * outcome.witnesses))]
  return `${inputs} inputs, ${outcomes.length} servers, ${faults} faults, ${events} events to healthy clients, ${seconds.toFixed(0)} s, seed ${seed}`
}

/** How often each cell must be hit in a whole run. */
export const LEAST = 100

/** How often each cell was hit, by all servers together. */
function allHits (outcomes: readonly Outcome[]): ReadonlyMap<string, number> {
  const all = new Map<string, number>()
  for (const { found } of outcomes) {
    for (const [cell, count] of Object.entries(found?.hits ?? {})) all.set(cell, (all.get(cell) ?? 0) + count)
  }
  return all
}

/** The cells that must be hit and were not often enough, each with how often. */
export function missedCells (outcomes: readonly Outcome[]): string[] {
  const all = allHits(outcomes)
  return requiredCells().filter(cell => (all.get(cell) ?? 0) < LEAST).map(cell => `${cell}: ${all.get(cell) ?? 0}`)
}

/** What was hit: a row for each limit or reason and way, a column for each state. */
export function describeHits (outcomes: readonly Outcome[]): string {
  const all = allHits(outcomes)
  const required = new Set(requiredCells())
  const whats = [...new Set([...required, ...all.keys()].map(cell => cell.split(' ')[1] as LimitName | ReasonName))]
  const rowOf = (what: LimitName | ReasonName, way: Way): string[] => STATES.map(state => {
    const cell = cellOf(way, what, state)
    const count = all.get(cell)
    return required.has(cell) ? `${count ?? 0}!` : String(count ?? '-')
  })
  const rows = whats.flatMap(what => WAYS.map(way => [what, way, ...rowOf(what, way)]).filter(([, , ...counts]) => counts.some(count => count !== '-')))
  const shown = [['hits', 'way', ...STATES], ...rows].map(([what = '', way = '', ...counts]) => `  ${what.padEnd(24)}${way.padEnd(12)}${counts.map(count => count.padStart(13)).join('')}`)
  return [`hits of each limit and of each reason for which a session closed, by way in and state of the session (!: must be ${LEAST})`, ...shown].join('\n')
}
