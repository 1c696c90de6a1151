import { rmSync, writeFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { Presence } from '../../lib/stores/lmdb/presence.js'

/** A file that is watched by a clock of the test's, and what is logged of it. */
function watch (t: Test) {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => { mock.timers.reset() })
  const path = join(t.testdir(), 'data.mdb')
  writeFileSync(path, '')
  const logged: string[] = []
  const log = (level: string) => (details: object, message: string) => { logged.push(`${level}: ${message}`) }
  const presence = new Presence(path, { warn: log('warn'), error: log('error') })
  t.teardown(() => { presence.close() })
  const look = (): void => { mock.timers.tick(1000) }
  return { path, presence, logged, look }
}

/** What was asked of the file system before is answered by then, and its answer dealt with. */
async function answered (path: string): Promise<void> {
  for (let times = 0; times < 20; times++) await stat(path).catch(() => {})
}

t.test('a deleted file is logged, and no event is accepted', async t => {
  const { path, presence, logged, look } = watch(t)
  rmSync(path)
  look()
  while (presence.isThere) await answered(path)
  t.throws(() => { presence.check() }, { code: 'FST_ERR_WS_EVENTS_STORE_UNAVAILABLE', message: /was deleted or replaced: put it back, or restart/ })
  t.strictSame(logged, ['error: the file of the store was deleted or replaced: no event is accepted'])
})

t.test('nothing is said of a file that is deleted while the last look is under way and the store is closed', async t => {
  const { path, presence, logged, look } = watch(t)
  rmSync(path)
  look()
  presence.close()
  await answered(path)
  t.strictSame(logged, [])
})
