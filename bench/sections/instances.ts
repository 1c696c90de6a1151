import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../lib/context.js'
import { withPair } from '../lib/pair.js'
import { type Report, shown, type Target } from '../lib/report.js'

const EVENTS = 3
/** How much more than before may be held when all have left. */
const LIMIT = 1.1
const MB = 1024 * 1024
/** Clients that come and go before anything is measured. */
const WARM_UP = 2000

interface Round {
  readonly complete: number
  readonly strangers: number
  /** Held when they were there, and when they had left, and the latter by what was held before. */
  readonly during: number
  readonly after: number
  readonly ratio: number
  readonly rssRatio: number
}

/** One client on each of many instances, twice. */
export async function instances ({ quick, progress }: Context): Promise<Report> {
  const count = quick ? 2000 : 10_000
  const rounds = await withPair({ peer: 'ours', global: false, nodeOptions: ['--expose-gc'] }, async ({ server, clients, ports }) => {
    await server.call('emitToEach', { instances: count, events: 0 })
    const come = async (instances: number): Promise<{ complete: number, strangers: number, during: number }> => {
      await clients.call('connectToEach', { port: ports.port, instances })
      await server.call('emitToEach', { instances: count, events: EVENTS })
      return { ...await clients.call('checkEach', { events: EVENTS }), during: (await server.call('memory', null)).held }
    }
    const go = async (): Promise<void> => {
      await clients.call('leave', null)
      while (await server.call('connections', null) > 0) await sleep(100)
      await sleep(500)
    }
    // Some come and go before, so that what is loaded and compiled once is there.
    await come(WARM_UP)
    await go()
    const before = await server.call('memory', null)
    const results: Round[] = []
    for (let round = 1; round <= 2; round++) {
      progress(`${count} clients on ${count} instances, round ${round}`)
      const seen = await come(count)
      await go()
      const after = await server.call('memory', null)
      results.push({ ...seen, after: after.held, ratio: after.held / before.held, rssRatio: after.rss / before.rss })
    }
    return results
  })
  const title = `${count.toLocaleString('en-US')} clients on as many instances`
  return {
    tables: [{
      title,
      columns: ['round', 'got exactly their events', 'events of others', 'MB held during', 'MB held after', 'times before', 'RSS, times before'],
      rows: rounds.map((round, index) => [
        String(index + 1), shown(round.complete), String(round.strangers), shown(round.during / MB), shown(round.after / MB), shown(round.ratio), shown(round.rssRatio)
      ])
    }],
    targets: rounds.flatMap((round, index): Target[] => [
      { what: `${title}, round ${index + 1}: clients that did not get exactly their events`, limit: 0, found: count - round.complete, unit: '' },
      { what: `${title}, round ${index + 1}: events of others`, limit: 0, found: round.strangers, unit: '' },
      { what: `${title}, round ${index + 1}: memory held after, times before`, limit: LIMIT, found: round.ratio, unit: '' }
    ]),
    figures: rounds
  }
}
