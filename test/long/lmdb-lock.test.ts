import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync } from 'node:fs'
import { createConnection } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { timeOf } from '../../lib/log/ids.js'
import { lmdbStore } from '../../lib/stores/lmdb/index.js'
import { acquireLock } from '../../lib/stores/lmdb/lock.js'
import type { OpenStore } from '../../lib/stores/store.js'
import type { Order } from '../fixtures/lmdb-child.js'
import { LOADER } from '../helpers/program.js'

const quiet = { warn () {}, error () {} }

async function openAt (t: Test, path: string): Promise<OpenStore> {
  const store = lmdbStore(path)
  const opened = await store.open({ retention: store.retention, logger: quiet })
  t.teardown(async () => { await opened.close() })
  return opened
}

interface Child {
  readonly process: ChildProcess
  /** What it said until now. */
  readonly lines: readonly string[]
  /** Resolves when it has said so many lines. */
  said (count: number): Promise<void>
  /** Ends it without a word, and resolves when it is gone. */
  kill (): Promise<void>
}

function startChild (t: Test, order: Order): Child {
  const child = spawn(process.execPath, [...LOADER, join(import.meta.dirname, '../fixtures/lmdb-child.ts'), JSON.stringify(order)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const lines: string[] = []
  const input = createInterface(child.stdout)
  const closed = once(input, 'close')
  input.on('line', line => { lines.push(line) })
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await Promise.all([exited, closed])
  }
  t.teardown(kill)
  return {
    process: child,
    lines,
    kill,
    async said (count) {
      while (lines.length < count) await Promise.race([once(input, 'line'), closed.then(() => { throw new Error(`it ended after ${lines.join('; ')}`) })])
    }
  }
}

t.test('a path that another process has is refused, and is free at once when that is killed', async t => {
  const path = t.testdir()
  const child = startChild(t, { options: { path }, work: 'hold' })
  await child.said(1)
  t.strictSame(child.lines, ['open'])
  for (let time = 0; time < 2; time++) {
    await t.rejects(openAt(t, path), {
      code: 'FST_ERR_WS_EVENTS_STORE_OPEN',
      message: `the store lmdb:${path} cannot be opened: process ${child.process.pid} on ${hostname()} has it: two cannot share it, so stop the other one or give each a path of its own`
    })
  }
  t.equal(readdirSync(path).filter(name => name.endsWith('.sock')).length, 1, 'who was refused left nothing')
  await child.kill()
  const store = await openAt(t, path)
  t.equal(readdirSync(path).filter(name => name.endsWith('.sock')).length, 1, 'what the dead one left is gone')
  await store.close()
  t.strictSame(readdirSync(path).toSorted(), ['data.mdb', 'lock.mdb'])
})

t.test('a path that this process has is refused, by whatever name, until it is closed', async t => {
  const path = t.testdir({ link: t.fixture('symlink', 'store'), store: {} })
  const first = await openAt(t, join(path, 'store'))
  for (const name of ['store', 'link', 'store/../store']) await t.rejects(openAt(t, join(path, name)), { message: new RegExp(`process ${process.pid} on .* has it`) })
  await first.log.append(['acme'], { instance: 'acme', event: 'call', rest: Buffer.from('}'), attachments: [] })
  await first.close()
  const second = await openAt(t, join(path, 'link'))
  t.equal(second.log.stats().records, 1)
})

t.test('of many who come at once one gets it, and none forgets to let go', async t => {
  const path = t.testdir()
  for (let round = 0; round < 20; round++) {
    const results = await Promise.allSettled(Array.from({ length: 12 }, async () => await acquireLock(path)))
    const winners = results.filter(result => result.status === 'fulfilled')
    t.equal(winners.length, 1)
    t.equal(readdirSync(path).length, 1)
    for (const { value } of winners) await value()
    t.strictSame(readdirSync(path), [])
  }
})

t.test('who comes while others come and go never gets it beside another', async t => {
  const path = t.testdir()
  let owners = 0
  let taken = 0
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let time = 0; time < 40; time++) {
      const letGo = await acquireLock(path).catch(() => undefined)
      if (letGo === undefined) continue
      taken++
      if (++owners > 1) t.fail('two have it')
      await new Promise(resolve => { setImmediate(resolve) })
      owners--
      await letGo()
    }
  }))
  t.ok(taken >= 8, `it was taken ${taken} times`)
  t.strictSame(readdirSync(path), [])
})

t.test('a path that is too long for a socket is guarded all the same', async t => {
  const path = join(t.testdir(), 'long'.repeat(40), 'longer'.repeat(30))
  mkdirSync(path, { recursive: true })
  const child = startChild(t, { options: { path }, work: 'hold' })
  await child.said(1)
  await t.rejects(openAt(t, path), { message: new RegExp(`process ${child.process.pid} on .* has it`) })
  await child.kill()
  await (await openAt(t, path)).close()
})

t.test('what only looks like an owner is none', async t => {
  const path = t.testdir({ 'owner-0123456789abcdef.sock': 'a file', 'owner-of-another-thing': '' })
  const store = await openAt(t, path)
  const [socket] = readdirSync(path).filter(name => name.endsWith('.sock'))
  // Who asks and goes away does no harm.
  for (let time = 0; time < 5; time++) createConnection(join(path, socket ?? '')).on('error', () => {}).destroy()
  await t.rejects(openAt(t, path), { message: /has it/ })
  await store.close()
  t.ok(readdirSync(path).includes('owner-of-another-thing'))
})

t.test('what a process said was kept is there after it was killed, in order, with nothing more or less counted', async t => {
  const path = t.testdir()
  const kept: string[] = []
  let start = ''
  for (let time = 0; time < 6; time++) {
    const child = startChild(t, { options: { path, flush: time % 3 === 2 }, work: 'append' })
    // At a moment that differs from time to time.
    await child.said(1 + 20 + time * 137)
    await child.kill()
    const said = child.lines.slice(1).filter(line => / \d+$/.test(line)).map(line => line.split(' '))
    t.equal(child.lines[0], 'open')

    const { log, close } = await openAt(t, path)
    start ||= log.head(null)
    const counts = { records: 0, bytes: 0 }
    for (const stream of [null, 'instance-0', 'instance-1', 'instance-2']) {
      const found = await log.read(stream, said[0]?.[0] ?? '', 1e9)
      if (found === 'gap') return t.fail('a gap')
      const ids = found.map(({ id }) => id)
      t.strictSame(ids, ids.toSorted())
      counts.records += ids.length
      if (stream !== null) continue
      // Some that it could not say any more may be there, too; of what it said, nothing is missing.
      const missing = said.slice(1).filter(([id]) => !ids.includes(id ?? ''))
      t.strictSame(missing, [])
      kept.push(...said.map(([id]) => id ?? ''))
      const numbers = found.map(({ rest }) => Number(/"n":(\d+)/.exec(rest.toString())?.[1]))
      t.ok(numbers.every((number, at) => at === 0 || number === (numbers[at - 1] ?? 0) + 1), 'in the order of the calls, none left out')
    }
    await close()
  }
  t.strictSame(kept, kept.toSorted())
  t.ok(timeOf(kept.at(-1) ?? '') > 0)

  const { log } = await openAt(t, path)
  let records = 0
  for (const stream of [null, 'instance-0', 'instance-1', 'instance-2']) {
    const found = await log.read(stream, kept[0] ?? '', 1e9)
    records += found.length
    if (stream === null) t.strictSame(kept.slice(1).filter(id => found === 'gap' || !found.some(entry => entry.id === id)), [])
  }
  // The first one has been read from, and is in two streams.
  t.equal(log.stats().records, records + 2)
})
