/** `npm run soak`: many clients that come and go, for a long time, on each store: nothing is lost, and nothing grows. */
import { parseArgs } from 'node:util'
import { RETENTION } from './soak/plan.js'
import { soak } from './soak/run.js'
import { type StoreName, storeNames } from './soak/stores.js'
import { faultsOf, summaryOf } from './soak/summary.js'

const USAGE = `npm run soak -- [--minutes N] [--clients N] [--rate N] [--store ${storeNames.join('|')}]

  --minutes N   on each store (10)
  --clients N   in all (2000)
  --rate N      events a second (200)
  --store NAME  on this one alone; left out: on each, one after the other, so that all take half an hour`

interface Options {
  readonly minutes: number
  readonly clients: number
  readonly rate: number
  readonly stores: readonly StoreName[]
}

function readOptions (): Options {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      clients: { type: 'string', default: '2000' },
      rate: { type: 'string', default: '200' },
      store: { type: 'string', default: storeNames.join() }
    }
  })
  const numbers = { minutes: Number(values.minutes), clients: Number(values.clients), rate: Number(values.rate) }
  const wrong = Object.entries(numbers).find(([, value]) => !(value > 0))
  if (wrong !== undefined) throw new Error(`--${wrong[0]} must be a number above 0`)
  const stores = values.store.split(',') as StoreName[]
  const unknown = stores.find(name => !storeNames.includes(name))
  if (unknown !== undefined) throw new Error(`there is no store "${unknown}"`)
  return { ...numbers, stores }
}

async function run ({ stores, ...options }: Options): Promise<void> {
  const { minutes, clients, rate } = options
  console.log(`${clients} clients, ${rate} events a second, ${minutes} minutes on each store: ${stores.join(', ')}`)
  console.log(`retention: ${RETENTION.maxAge / 1000} s, so that the log is as large as it gets after a minute and a quarter`)
  for (const store of stores) {
    console.log(`\n${store}`)
    const result = await soak({ ...options, store, print: line => { console.log(line) } })
    console.log(summaryOf(result))
    if (faultsOf(result).length > 0) process.exitCode = 1
  }
}

try {
  await run(readOptions())
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
  process.exitCode = 1
}
