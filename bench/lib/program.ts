import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Context, Section } from './context.js'
import { asMarkdown, asText, isReached, tablesOf } from './report.js'
import { lastResults, load, type Machine, machine, type Results, saveResults, type SectionResult } from './results.js'

/** A command that measures sections and prints them. */
export interface Program {
  /** As it is typed. */
  readonly command: string
  readonly sections: Readonly<Record<string, Section>>
  /** What `--quick` does to it. */
  readonly quick: string
  /** Where results go: `NAME.json` in the folder of results. */
  readonly file: (quick: boolean) => string
  /** Whose versions belong to the figures. */
  readonly packages: readonly string[]
  /** Versions of what is no package. */
  readonly others?: () => Readonly<Record<string, string>>
}

const usage = ({ command, sections, quick }: Program): string => `${command} -- [--quick] [--only SECTION,…] [--runs N] [--markdown] [--last]

  --quick     ${quick}
  --only      of the sections ${Object.keys(sections).join(', ')}
  --runs N    how often each way is measured (5, with --quick 3)
  --markdown  prints tables for docs/
  --last      measures nothing, and prints the results of the last time`

interface Options {
  readonly quick: boolean
  readonly markdown: boolean
  readonly last: boolean
  readonly only: readonly string[]
  readonly runs: number
}

function readOptions (sections: Program['sections']): Options {
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

async function measure ({ sections, file }: Program, machine: Machine, { only, quick, runs }: Options): Promise<Results['sections']> {
  const start = Date.now()
  const progress = (text: string): void => { console.error(`${String(Math.round((Date.now() - start) / 1000)).padStart(4)} s  ${text}`) }
  const context: Context = { quick, runs, progress }
  const measured: Record<string, SectionResult> = {}
  for (const name of only) {
    const loadBefore = load()
    const report = await (sections[name] as Section)(context)
    measured[name] = { at: new Date().toISOString(), runs, loadBefore, ...report }
    // At once: who stops a later section has this one.
    const saved = saveResults(file(quick), machine, { [name]: measured[name] })
    progress(`${name}: in ${fileURLToPath(saved)}`)
  }
  return measured
}

async function run (program: Program, options: Options): Promise<void> {
  if (!options.last) {
    const here = machine(program.packages, program.others?.())
    print(here, await measure(program, here, options), options.markdown)
    return
  }
  const results = lastResults(program.file(options.quick))
  if (results === undefined) throw new Error('there are no results yet')
  print(results.machine, results.sections, options.markdown)
}

/** Does what the command line says. */
export async function runProgram (program: Program): Promise<void> {
  try {
    await run(program, readOptions(program.sections))
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage(program)}`)
    process.exitCode = 1
  }
}
