import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { alternate, type Context } from '../lib/context.js'
import { type Report, shown } from '../lib/report.js'
import { median } from '../lib/statistics.js'

const run = promisify(execFile)
const PROGRAM = fileURLToPath(new URL('../lib/started.mjs', import.meta.url))
/** Processes of each way in a run. */
const STARTS = 5

const ways = ['ours', 'socketio', 'nothing'] as const
type Way = typeof ways[number]
const titles: Readonly<Record<Way, string>> = {
  ours: 'fastify-ws-events',
  socketio: 'Socket.IO',
  nothing: 'Fastify alone'
}

/** What one process had, in ms of CPU and in MB of heap. */
interface Start {
  readonly load: number
  readonly register: number
  readonly heldMB: number
}

/** What it costs to have: to load the package beside Fastify, and to be ready. */
export async function startup ({ runs, progress }: Context): Promise<Report> {
  const starts = await alternate(ways, runs * STARTS, async (way, index) => {
    progress(`start ${index + 1}: ${titles[way]}`)
    const { stdout } = await run(process.execPath, ['--expose-gc', PROGRAM, way])
    return JSON.parse(stdout) as Start
  })
  const middle = (way: Way, figure: (start: Start) => number): string => shown(median((starts.get(way) ?? []).map(figure)))
  return {
    tables: [{
      title: 'Startup: what a process has beside Fastify',
      columns: ['', 'CPU ms to load', 'CPU ms until ready', 'heap MB'],
      rows: ways.map(way => [
        titles[way], middle(way, ({ load }) => load), middle(way, ({ register }) => register), middle(way, ({ heldMB }) => heldMB)
      ])
    }],
    targets: [],
    figures: Object.fromEntries(starts)
  }
}
