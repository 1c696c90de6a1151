import t from 'tap'
import type { Retention } from '../../lib/log/event-log.js'
import { memoryStore } from '../../lib/stores/memory/index.js'
import { configStoreSuite, eventLogSuite, type OpenLog } from '../contracts/index.js'

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
