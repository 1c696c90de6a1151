/** `npm run bench`: what events cost here, and what they cost in other ways, measured side by side. */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Context, Section } from './lib/context.js'
import { asMarkdown, asText, isReached, tablesOf } from './lib/report.js'
import { lastResults, load, type Machine, machine, type Results, saveResults, type SectionResult } from './lib/results.js'
import { delivery } from './sections/delivery.js'
import { drops } from './sections/drops.js'
import { idle } from './sections/idle.js'
import { instances } from './sections/instances.js'
import { latency } from './sections/latency.js'
import { log } from './sections/log.js'
import { memory } from './sections/memory.js'
import { stalled } from './sections/stalled.js'

const sections: Readonly<Record<string, Section>> = { delivery, idle, memory, latency, stalled, instances, log, drops }

const USAGE = `npm run bench -- [--quick] [--only SECTION,…] [--runs N] [--markdown] [--last]

  --quick     fewer cells and shorter runs: about six minutes
  --only      of the sections ${Object.keys(sections).join(', ')}
  --runs N    how often each way is measured (5, with --quick 3)
  --markdown  prints tables for docs/performance.md
  --last      measures nothing, and prints the results of the last time`

interface Options {
  readonly quick: boolean
  readonly markdown: boolean
  readonly last: boolean
  readonly only: readonly string[]
  readonly runs: number
}

function readOptions (): Options {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      last: { type: 'boolean', default: false },
      only: { type: 'string', default: Object.keys(sections).join() },
      runs: { type: 'string' }
    }
  })
  const only = values.only.split(',')
  const unknown = only.find(name => !Object.hasOwn(sections, name))
  if (unknown !== undefined) throw new Error(`there is no section "${unknown}"`)
  const runs = Number(values.runs ?? (values.quick ? 3 : 5))
  if (!Number.isInteger(runs) || runs < 1) throw new Error('--runs must be a whole number above 0')
  return { ...values, only, runs }
}

function print (machine: Machine, results: Results['sections'], markdown: boolean): void {
  const { cpu, cores, memoryGB, system, node, packages } = machine
  const versions = Object.entries(packages).map(([name, version]) => `${name} ${version}`).join(', ')
  console.log(`${cpu}, ${cores} cores, ${memoryGB} GB, ${system}, Node ${node}; ${versions}\n`)
  for (const report of Object.values(results)) {
    for (const table of tablesOf(report)) console.log(markdown ? asMarkdown(table) : asText(table))
  }
  const targets = Object.values(results).flatMap(({ targets }) => targets)
  const missed = targets.filter(target => !isReached(target)).length
  console.log(`${targets.length - missed} of ${targets.length} targets reached.`)
}

async function measure ({ only, quick, runs }: Options): Promise<Results['sections']> {
  const start = Date.now()
  const progress = (text: string): void => { console.error(`${String(Math.round((Date.now() - start) / 1000)).padStart(4)} s  ${text}`) }
  const context: Context = { quick, runs, progress }
  const measured: Record<string, SectionResult> = {}
  for (const name of only) {
    const loadBefore = load()
    const report = await (sections[name] as Section)(context)
    measured[name] = { at: new Date().toISOString(), runs, loadBefore, ...report }
    // At once: who stops a later section has this one.
    const file = saveResults(quick, { [name]: measured[name] })
    progress(`${name}: in ${fileURLToPath(file)}`)
  }
  return measured
}

async function main (options: Options): Promise<void> {
  if (!options.last) {
    print(machine(), await measure(options), options.markdown)
    return
  }
  const results = lastResults(options.quick)
  if (results === undefined) throw new Error('there are no results yet')
  print(results.machine, results.sections, options.markdown)
}

try {
  await main(readOptions())
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
  process.exitCode = 1
}
