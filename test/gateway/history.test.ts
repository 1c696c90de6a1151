import t from 'tap'
import { Catalogue } from '../../lib/events/catalogue.js'
import { evolutionEvents } from '../../lib/events/evolution.js'
import { HistoryCache, type HistoryPage } from '../../lib/gateway/history.js'
import type { Subscriptions } from '../../lib/gateway/subscriptions.js'
import type { EventLog, LogEntry } from '../../lib/log/event-log.js'

const MB = 1024 * 1024

/** A log of streams with one event each, of a size that their names say. */
function logOf (size: number): { log: EventLog, reads: string[] } {
  const reads: string[] = []
  const entryOf = (instance: string): LogEntry => ({ id: '2', event: 'call', instance, rest: Buffer.alloc(size), attachments: [] })
  const log = {
    read: (stream: string, after: string, maxBytes: number) => {
      if (maxBytes > 1) reads.push(stream)
      return after < '2' ? [entryOf(stream)] : []
    }
  }
  return { log: log as unknown as EventLog, reads }
}

const cacheOf = (log: EventLog): HistoryCache => new HistoryCache({ log, catalogue: new Catalogue(evolutionEvents), instances: { since: () => '' }, subscriptions: { on () {} } as unknown as Subscriptions })

t.test('pages are cached up to 8 MiB, those that were used last', async t => {
  const { log, reads } = logOf(3 * MB)
  const cache = cacheOf(log)
  for (const stream of ['a', 'b', 'a', 'c', 'a', 'b']) t.equal((cache.read(stream, '1') as HistoryPage).last, '2')
  t.strictSame(reads, ['a', 'b', 'c', 'b'], 'c took the place of b')
})

t.test('a page that is larger is cached alone, so that many clients share it', async t => {
  const { log, reads } = logOf(12 * MB)
  const cache = cacheOf(log)
  for (const stream of ['a', 'a', 'b', 'b', 'a']) cache.read(stream, '1')
  t.strictSame(reads, ['a', 'b', 'a'])
})
