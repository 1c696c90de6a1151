import t from 'tap'
import type { Retention } from '../../lib/log/event-log.js'
import { memoryStore } from '../../lib/stores/memory/index.js'
import { configStoreSuite, eventLogSuite, type OpenLog } from '../contracts/index.js'
import { keepsToTotal } from './total.js'

const logger = { warn () {}, error () {} }

async function openMemory (retention: Retention): Promise<OpenLog> {
  let time = Date.now()
  const store = await memoryStore({ now: () => time }).open({ retention, logger })
  return { ...store, advance: milliseconds => { time += milliseconds } }
}

for (const { name, run } of eventLogSuite(openMemory)) t.test(name, run)

for (const { name, run } of configStoreSuite(async () => {
  const store = memoryStore()
  return await store.open({ retention: store.retention, logger })
})) t.test(name, run)

t.test('all streams together keep to their bound: of large events the oldest go, and small streams keep all', async t => {
  const retention = { maxAge: 60_000, maxEvents: 10_000, maxBytes: 100_000 }
  const store = await memoryStore({ maxTotalBytes: 1_000_000 }).open({ retention, logger })
  t.teardown(async () => { await store.close() })
  await keepsToTotal(t, store.log)
})
