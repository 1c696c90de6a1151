// The clients that are cut, in a process of their own, told what to do by run.ts.
import { DroppingClient } from './client.js'
import { type Emitted, isEntitled, profileOf, type Totals, type Way } from './plan.js'
import { judge } from './verdict.js'

export interface Order {
  readonly url: string
  readonly way: Way
  readonly clients: number
  /** Of each. */
  readonly cuts: number
}

/** What this process is told. */
export type Call = { readonly begin: true } | { readonly judge: readonly Emitted[] }
/** What it says. */
export type Said = { readonly say: 'in' | 'done' } | { readonly say: 'end', readonly id: string } | { readonly say: 'totals', readonly totals: Totals }

/** What has not arrived by then is lost, in ms. */
const PATIENCE = 30_000

const order = JSON.parse(process.argv[2] ?? '') as Order
const say = (said: Said): void => { process.send?.(said) }

let changed = (): void => {}
const clients = Array.from({ length: order.clients }, (_, index) => new DroppingClient({
  ...order,
  index,
  profile: profileOf(index, order.way !== 'recovery'),
  endByServer: id => { say({ say: 'end', id }) },
  changed: () => { changed() }
}))

/** Resolves when a condition holds for every client; looks at each again only when one has changed that did not hold. */
async function all (holds: (client: DroppingClient) => boolean): Promise<void> {
  await new Promise<void>(resolve => {
    let at = 0
    changed = () => {
      while (at < clients.length && holds(clients[at] as DroppingClient)) at++
      if (at === clients.length && clients.every(holds)) resolve()
      else if (at === clients.length) at = 0
    }
    changed()
  })
  changed = () => {}
}

async function totals (emitted: readonly Emitted[]): Promise<Totals> {
  const lastOf = new Map(clients.map(client => [client, emitted.findLastIndex(event => isEntitled(client.profile, event))]))
  const arrived = all(client => (client.numbers.at(-1) ?? -1) >= (lastOf.get(client) ?? 0))
  await Promise.race([arrived, new Promise(resolve => { setTimeout(resolve, PATIENCE) })])
  const totals: Totals = { clients: clients.length, cuts: 0, deliveries: 0, lost: 0, missed: 0, duplicated: 0, held: 0, repeated: 0, outOfOrder: 0, strange: 0, gaps: 0, surprises: [] }
  for (const client of clients) {
    const verdict = judge(client, emitted)
    for (const [name, count] of Object.entries(verdict) as Array<[keyof typeof verdict, number]>) totals[name] += count
    totals.cuts += client.cuts
    totals.deliveries += client.numbers.length
    totals.gaps += client.gapsAt.length
    totals.held += client.held.size
    totals.repeated += client.repeated
    totals.surprises.push(...client.surprises)
  }
  return totals
}

process.on('message', (call: Call) => {
  if ('judge' in call) {
    void totals(call.judge).then(totals => { say({ say: 'totals', totals }) })
    return
  }
  for (const client of clients) client.begin()
  void all(client => client.isDone).then(() => { say({ say: 'done' }) })
})
process.on('disconnect', () => { process.exit() })
await all(client => client.isIn)
say({ say: 'in' })
