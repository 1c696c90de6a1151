import { asText, shown, type Table } from '../lib/report.js'
import { happenings } from './client.js'
import { bars, counted, thinned } from './plot.js'
import type { SoakResult, TimedSample } from './run.js'

const MB = 1024 * 1024
const MINUTE_TWO = 120
/** Of a shorter run, minute two and the end are not far enough apart to say anything, in seconds. */
const LEAST_SECONDS = 180
/** The heap at the end, times that of minute two. */
const MAX_HEAP = 1.05
/** As wide as a plot is. */
const WIDTH = 60

const plotted: ReadonlyArray<readonly [title: string, figure: (sample: TimedSample) => number | null]> = [
  ['heap MB, collected', ({ heap }) => heap === null ? null : heap / MB],
  ['heap and buffers MB, collected', ({ held }) => held === null ? null : held / MB],
  ['RSS MB', ({ rss }) => rss / MB],
  ['handles', ({ handles }) => handles],
  ['clients', ({ clients }) => clients],
  ['event loop delay p99 ms', ({ delay }) => delay],
  ['events in the log', ({ records }) => records]
]

function plot (samples: readonly TimedSample[]): Table {
  return {
    title: 'Over time, of the server\'s process; a bar from 0 to the largest',
    columns: ['', 'least', 'largest', 'last', ''],
    rows: plotted.map(([title, figure]) => {
      const values = samples.map(figure).filter(value => value !== null)
      return [title, shown(Math.min(...values)), shown(Math.max(...values)), shown(values.at(-1) ?? NaN), bars(thinned(values, WIDTH))]
    })
  }
}

/** Bytes of the heap in minute two and at the end, where the run was long enough. */
export interface Growth {
  readonly early: TimedSample
  readonly late: TimedSample
  readonly heap: number
  readonly held: number
}

export function growthOf ({ samples }: SoakResult): Growth | null {
  const early = samples.find(({ at, heap }) => at >= MINUTE_TWO && heap !== null)
  const late = samples.findLast(({ heap }) => heap !== null)
  if (early === undefined || late === undefined || late.at < LEAST_SECONDS) return null
  return { early, late, heap: (late.heap ?? NaN) / (early.heap ?? NaN), held: (late.held ?? NaN) / (early.held ?? NaN) }
}

function growthLines (growth: Growth | null): string[] {
  if (growth === null) return [`shorter than ${LEAST_SECONDS} s: the heap is not judged`]
  const { early, late, heap, held } = growth
  const line = (title: string, from: number, to: number): string => `${title}: ${shown(from)} in minute two, ${shown(to)} at the end`
  return [
    `${line('heap MB', (early.heap ?? NaN) / MB, (late.heap ?? NaN) / MB)}, ${heap.toFixed(3)} times (at most ${MAX_HEAP})`,
    `${line('heap and buffers MB', (early.held ?? NaN) / MB, (late.held ?? NaN) / MB)}, ${held.toFixed(3)} times`,
    `handles: ${counted(early.handles)} in minute two, ${counted(late.handles)} at the end`
  ]
}

/** What a soak has shown, to be printed. */
export function summaryOf (result: SoakResult): string {
  const { samples, totals, after } = result
  const { received, lost, doubled, disordered, gaps, happened, surprises, clients } = totals
  return [
    '',
    asText(plot(samples)),
    `what clients did: ${happenings.map(name => `${name} ${counted(happened[name])}`).join(', ')}`,
    `the server: ${counted(after.emitted)} emitted, ${after.failed} rejected, ${counted(after.replayed)} replayed, ${after.slow} clients ended as too slow`,
    `when all had left: ${after.handles} handles, heap ${shown((after.heap ?? NaN) / MB)} MB, RSS ${shown(after.rss / MB)} MB`,
    ...surprises.map(text => `should not be: ${text}`),
    ...growthLines(growthOf(result)),
    `${clients} clients, ${counted(received)} events received: lost ${lost}, doubled ${doubled}, disordered ${disordered}, gaps ${gaps}`,
    ...faultsOf(result).map(fault => `FAULT: ${fault}`)
  ].join('\n')
}

/** What is not as it must be; none: all is well. */
export function faultsOf (result: SoakResult): string[] {
  const { totals: { lost, doubled, disordered, gaps, surprises }, after } = result
  const counts = { lost, doubled, disordered, gaps, rejected: after.failed, surprises: surprises.length }
  const faults = Object.entries(counts).filter(([, count]) => count > 0).map(([name, count]) => `${name}: ${count}`)
  const growth = growthOf(result)
  return growth !== null && growth.heap > MAX_HEAP ? [...faults, `the heap has grown ${growth.heap.toFixed(3)} times`] : faults
}
