import type { Test } from 'tap'
import type { EventLog } from '../../lib/log/event-log.js'
import { appendAll, assertGap, assertRead, follow, recordOf } from '../contracts/log/subject.js'

/** Lets a log drop what is over its bounds, along with what it writes later. */
async function trimmed (log: EventLog): Promise<void> {
  for (let round = 0; round < 5; round++) await appendAll(log, ['other'], [recordOf(1)])
}

/** @param log of at most 1 MB in all, and 100 kB a stream */
export async function keepsToTotal (t: Test, log: EventLog): Promise<void> {
  const small = new Map<string, { start: string, ids: string[] }>()
  for (const name of ['a', 'b', 'c']) {
    const { start } = await follow(log, name)
    small.set(name, { start, ids: await appendAll(log, [name], Array.from({ length: 50 }, () => recordOf(1000))) })
  }
  const large: Array<{ name: string, start: string, ids: string[] }> = []
  for (const name of ['first', 'second', 'third', 'fourth']) {
    const { start } = await follow(log, name)
    large.push({ name, start, ids: await appendAll(log, [name], [recordOf(300_000)]) })
    await trimmed(log)
    const { bytes } = log.stats()
    t.ok(bytes <= 1_000_000, `${bytes} bytes in all`)
  }
  const [first, second, ...kept] = large
  for (const gone of [first, second]) {
    await assertGap(log, gone?.name ?? '', gone?.start ?? '', 'the oldest are dropped')
    await assertRead(log, gone?.name ?? '', gone?.ids[0] ?? '', [], 'whoever has it has missed nothing')
  }
  for (const { name, start, ids } of kept) await assertRead(log, name, start, ids, `${name}: the newest are kept`)

  const huge = await follow(log, 'huge')
  const [id = ''] = await appendAll(log, ['huge'], [recordOf(2_000_000)])
  await trimmed(log)
  await assertGap(log, 'huge', huge.start, 'one larger than all that there may be is told, and not kept')
  await assertRead(log, 'huge', id, [], 'whoever has it has missed nothing')
  t.ok(log.stats().bytes <= 1_000_000)
  for (const [name, { start, ids }] of small) await assertRead(log, name, start, ids, `${name} keeps all`)
}
