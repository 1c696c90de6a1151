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
    `  ${witnesses} healthy clients, ${events} events each, ${cuts.length} cuts${cuts.length === 0 ? '' : ` (${[...new Set(cuts)].join(', ')})`}; the longest turn of the event loop ${delay.toFixed(0)} ms; heap ${heap.map(bytes => (bytes / MIB).toFixed(1)).join(' -> ')} MiB; left ${left?.sockets ?? '?'} sockets, ${left?.connections ?? '?'} connections, ${left?.namespaces ?? '?'} namespaces, ${left?.clients ?? '?'} clients; ${lines} lines of log, ${leaked} with a key`,
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
