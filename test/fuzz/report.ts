import type { Outcome } from './fuzz.js'

const MIB = 1024 * 1024
const MOST = 2000

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((all, number) => all + number, 0)
const inputsOf = ({ counts }: Outcome): number => sum(Object.values(counts))

/** What became of one server. */
export function describe (name: string, seed: number, outcome: Outcome): string {
  const { counts, sessions, faults, found: { stats, lines, leaked }, events, witnesses, returns, heap, left, seconds } = outcome
  const kinds = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`).join(', ')
  const refused = Object.entries(stats.refused).map(([code, count]) => `${count} ${code}`).join(', ')
  return [
    `${name}: ${inputsOf(outcome)} inputs in ${sessions} sessions, ${seconds.toFixed(1)} s: ${kinds}`,
    `  admitted ${stats.admitted}; refused ${refused}; emitted ${stats.emitted}, rejected ${stats.rejected}`,
    `  ${witnesses} healthy clients, ${events} events each, ${returns} cuts; heap ${heap.map(bytes => (bytes / MIB).toFixed(1)).join(' -> ')} MiB; left ${left.connections} connections, ${left.namespaces} namespaces; ${lines} lines of log, ${leaked} with a key`,
    ...faults.map(({ what, times, session, input, suspects }) => [
      `  FAULT (${times} times): ${what}`,
      session === null ? `    sessions under way: ${suspects.join(' ')}` : `    again by: npm run fuzz -- --seed ${seed} --target ${name} --session ${session}`,
      ...(input === undefined ? [] : [`    input: ${JSON.stringify(input).slice(0, MOST)}`])
    ].join('\n'))
  ].join('\n')
}

/** What became of all. */
export function total (seed: number, outcomes: readonly Outcome[]): string {
  const [inputs, faults, events] = [sum(outcomes.map(inputsOf)), sum(outcomes.map(outcome => outcome.faults.length)), sum(outcomes.map(outcome => outcome.events * outcome.witnesses))]
  return `${inputs} inputs, ${outcomes.length} servers, ${faults} faults, ${events} events to healthy clients, ${sum(outcomes.map(({ seconds }) => seconds)).toFixed(0)} s, seed ${seed}`
}
