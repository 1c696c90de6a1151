import type { ContractTest } from './contract-test.js'
import { appending } from './log/appending.js'
import { joining } from './log/joining.js'
import { once } from './log/once.js'
import { reading } from './log/reading.js'
import { reopening } from './log/reopening.js'
import { retention } from './log/retention.js'
import { type LogTest, type OpenLogs, Subject } from './log/subject.js'
import { watching } from './log/watching.js'

export type { OpenLog, OpenLogs } from './log/subject.js'

// What a log need not offer is said in the name: where it does not, there is nothing to show, and the test passes.
const CONDITIONS = {
  reopen: 'event log, if it can be reopened',
  advance: 'event log, if its clock can be set',
  keys: 'event log, if it keeps idempotency keys'
}

/**
 * The contract of `EventLog` as tests, for any test runner:
 *
 * ```ts
 * const open = (retention: Retention) => myStore().open({ retention, logger })
 * for (const { name, run } of eventLogSuite(open)) test(name, run)
 * ```
 *
 * A durable store gives `reopen`, too, and removes what the test wrote in `close`. A stream is watched before a test
 * relies on its being remembered. What is over a bound may stay for a while: as much again, and 100 events or 100 kB.
 */
export function eventLogSuite (open: OpenLogs): ContractTest[] {
  return [...appending, ...reading, ...watching, ...joining, ...retention, ...reopening, ...once].map(test => ({
    name: `${test.needs === undefined ? 'event log' : CONDITIONS[test.needs]}: ${test.name}`,
    async run () { await runWith(open, test) }
  }))
}

async function runWith (open: OpenLogs, { retention, needs, show }: LogTest): Promise<void> {
  const subject = await Subject.open(open, retention)
  try {
    if (needs === undefined || subject.offers(needs)) await show(subject)
  } finally {
    await subject.close()
  }
}
