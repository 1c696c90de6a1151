/** The clients' process of a soak, told what to do by run.ts. */
import { serve } from '../lib/rpc.js'
import { happenings, type Happening, type SoakClient } from './client.js'
import { Lateness } from './lateness.js'
import { type Emitted, pick, profileOf } from './plan.js'
import { RawSoakClient } from './raw-client.js'
import { noVerdict, type Verdict } from './reader.js'
import { StockSoakClient } from './stock-client.js'
import { sendStranger } from './strangers.js'

export interface Totals extends Verdict {
  readonly clients: number
  readonly in: number
  /** Of the clients' own event loop: where they are late themselves, the machine is too small for them. */
  readonly delay: number
  readonly happened: Readonly<Record<Happening, number>>
  /** What should not have been, as texts; the first of many. */
  readonly surprises: readonly string[]
}

/** How many clients do something in a second: a part of all, and some even where there are few. */
const ACTIVE_SHARE = 1 / 80
const LEAST_ACTIVE = 10
const STRANGERS_A_SECOND = 2
const MAX_SURPRISES = 20
/** Clients that connect in a second, at the start. */
const FIRST_A_SECOND = 400
/** To look again whether all are where they should be, in ms. */
const LOOK_AGAIN = 50

const clients: SoakClient[] = []
const lateness = new Lateness()
const happened = Object.fromEntries(happenings.map(name => [name, 0])) as Record<Happening, number>
const surprises: string[] = []
let churn: NodeJS.Timeout | undefined

const note = (what: Happening): void => { happened[what]++ }
const surprise = (text: string): void => { if (surprises.push(text) > MAX_SURPRISES) surprises.pop() }

/** Resolves when something holds for all clients, or when the time is over. @returns for how many it does not */
async function all (holds: (client: SoakClient) => boolean, ms: number): Promise<number> {
  const end = performance.now() + ms
  for (;;) {
    const missing = clients.filter(client => !holds(client)).length
    if (missing === 0 || performance.now() > end) return missing
    await new Promise(resolve => { setTimeout(resolve, LOOK_AGAIN) })
  }
}

function startChurn (port: number): void {
  const period = 1000 / Math.max(LEAST_ACTIVE, clients.length * ACTIVE_SHARE)
  const strangers = STRANGERS_A_SECOND * period / 1000
  churn = setInterval(() => {
    pick(clients).act()
    if (Math.random() < strangers) sendStranger({ port, happened: note, surprise })
  }, period)
}

const api = {
  /** Connects so many, one after the other. */
  async connect ({ port, count }: { readonly port: number, readonly count: number }): Promise<void> {
    for (let index = 0; index < count; index++) {
      const setup = { port, profile: profileOf(index), happened: note, surprise }
      const client = setup.profile.way === 'raw' ? new RawSoakClient(setup) : new StockSoakClient(setup)
      clients.push(client)
      client.begin()
      await new Promise(resolve => { setTimeout(resolve, 1000 / FIRST_A_SECOND) })
    }
    const missing = await all(({ isIn, profile }) => isIn || profile.isPassing, 20_000)
    if (missing > 0) throw new Error(`${missing} clients could not connect: ${surprises.join('; ')}`)
  },

  /** From now on they come and go. */
  begin ({ port }: { readonly port: number }): void {
    startChurn(port)
  },

  totals (_: null): Totals {
    const sum = noVerdict()
    for (const { reader } of clients) {
      for (const [name, count] of Object.entries(reader.verdict) as Array<[keyof Verdict, number]>) sum[name] += count
    }
    return { ...sum, clients: clients.length, in: clients.filter(({ isIn }) => isIn).length, delay: lateness.take(), happened, surprises }
  },

  /** All come back, and stay. */
  async settle (_: null): Promise<void> {
    clearInterval(churn)
    for (const client of clients) client.settle()
    const missing = await all(({ isIn }) => isIn, 60_000)
    if (missing > 0) surprise(`${missing} clients did not come back`)
  },

  /** What has not arrived in a while is lost. */
  async close ({ emitted }: { readonly emitted: Emitted }): Promise<void> {
    const own = new Map(emitted.map(entry => [entry[0], [entry]]))
    const listed = ({ profile: { instance } }: SoakClient): Emitted => instance === null ? emitted : own.get(instance) ?? []
    await all(client => client.reader.hasAll(listed(client)), 20_000)
    for (const client of clients) client.reader.close(listed(client))
  },

  leave (_: null): void {
    for (const client of clients) client.leave()
  }
}

export type SoakClientsApi = typeof api

serve(api)
