import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import t, { type Test } from 'tap'
import type { LogPage, LogRecord, StreamName } from '../../lib/log/event-log.js'
import { bytesOf, decodeStream, encodeStream } from '../../lib/stores/lmdb/codec.js'
import { type Databases, openDatabases } from '../../lib/stores/lmdb/database.js'
import { lmdbStore } from '../../lib/stores/lmdb/index.js'
import { upgrade } from '../../lib/stores/lmdb/upgrade.js'
import type { OpenStore } from '../../lib/stores/store.js'

const HOUR = 3_600_000
/** After the last run that wrote a file of format 1: nothing in it is too old. */
const NOW = Date.UTC(2026, 0, 2)
const EVERYTHING = 1_000_000_000

interface Subject extends OpenStore {
  readonly warnings: string[]
}

async function openAt (t: Test, path: string): Promise<Subject> {
  const warnings: string[] = []
  const logger = {
    warn: (details: object, message: string) => { warnings.push(message) },
    error: (details: object, message: string) => { t.fail(message) }
  }
  const retention = { maxAge: 48 * HOUR, maxEvents: 1000, maxBytes: EVERYTHING }
  const store = await lmdbStore({ path, now: () => NOW }).open({ retention, logger })
  t.teardown(async () => { await store.close() })
  return { ...store, warnings }
}

const append = async ({ log }: OpenStore, instance: string): Promise<string> =>
  await log.append([instance], { instance, event: 'call', rest: Buffer.from(',"n":1}'), attachments: [] })

const idsOf = (page: LogPage): string[] | 'gap' => page === 'gap' ? page : page.map(({ id }) => id)

// Files that version 0.1.0 wrote on Node 24.15.0: see test/fixtures/format-1/write.ts. All but one are damaged.
const format1 = (file: string): Buffer => readFileSync(new URL(`../fixtures/format-1/${file}`, import.meta.url))

/** The ids that were appended to each stream. */
type Names = ReadonlyArray<readonly [StreamName, readonly string[]]>

/** Puts a file where a store opens it. */
function placed (t: Test, file: string): { path: string, names: Names } {
  const path = t.testdir()
  writeFileSync(join(path, 'data.mdb'), brotliDecompressSync(format1(`${file}.mdb.br`)))
  const ids = JSON.parse(format1(`${file}.json`).toString()) as ReadonlyArray<readonly [string, readonly string[]]>
  return { path, names: ids.map(([name, of]) => [name === '' ? null : name, of]) }
}

/** Each client either gets everything that came after its id, or is told of a gap. @returns how many are */
async function checkResume (t: Test, { log }: OpenStore, names: Names): Promise<Map<StreamName, number>> {
  const gaps = new Map<StreamName, number>()
  const all = names.flatMap(([, ids]) => ids)
  const wrong: unknown[] = []
  for (const [name, ids] of names) {
    for (const after of all) {
      const found = idsOf(await log.read(name, after, EVERYTHING))
      if (found === 'gap') gaps.set(name, (gaps.get(name) ?? 0) + 1)
      else if (found.join() !== ids.filter(id => id > after).join()) wrong.push({ name, after, found })
    }
  }
  t.strictSame(wrong, [])
  return gaps
}

t.test('a file of format 1 that is intact is taken over as it is', async t => {
  const { path, names } = placed(t, 'intact')
  const store = await openAt(t, path)
  t.strictSame(await checkResume(t, store, names), new Map())
  t.equal(store.log.stats().streams, names.length)
  t.strictSame(store.warnings, [])
})

t.test('streams that have one name become one, and every client gets all that it has missed', async t => {
  const { path, names } = placed(t, 'doubled')
  for (const round of ['first', 'second']) {
    const store = await openAt(t, path)
    t.strictSame(await checkResume(t, store, names), new Map())
    t.match(store.log.stats(), { streams: names.length, records: names.reduce((sum, [, ids]) => sum + ids.length, 0) })
    t.equal(store.warnings.length, round === 'first' ? 1 : 0)
    for (const [name] of names) {
      if (name !== null) t.match(await store.configs.get(name), { enabled: true, events: ['CALL'] })
    }
    await store.close()
  }
})

t.test('a stream with a damaged name and with events is restored under its real name', async t => {
  const { path, names } = placed(t, 'renamed')
  const store = await openAt(t, path)
  const gaps = await checkResume(t, store, names)
  const expected = [null, 'acme', 'ação']
  t.strictSame([...gaps.keys()].toSorted(), expected.toSorted(), 'each dropped an event later than the first of all')
  for (const [name, ids] of names) {
    const newest = ids.at(-2) ?? ''
    t.strictSame(idsOf(await store.log.read(name, newest, EVERYTHING)), ids.slice(-1), 'what came later can be read')
  }
  t.match(store.warnings, [/streams were restored/])
})

t.test('where it is lost whose events were dropped, whoever may have missed one is told of a gap', async t => {
  const { path, names } = placed(t, 'emptied')
  const store = await openAt(t, path)
  const [, ofAb = []] = names.find(([name]) => name === 'ab') ?? []
  const [, all = []] = names.find(([name]) => name === null) ?? []
  const gaps = await checkResume(t, store, names)
  t.equal(idsOf(await store.log.read('ab', all[0] ?? '', EVERYTHING)), 'gap', 'it had an event after that')
  t.ok((gaps.get('acme') ?? 0) > 0, 'and no stream is known not to be that one')
  t.equal(idsOf(await store.log.read('never heard of', all[0] ?? '', EVERYTHING)), 'gap')
  const found = idsOf(await store.log.read('ab', ofAb[0] ?? '', EVERYTHING))
  t.strictSame(found, ofAb.slice(1), 'a client that has that event has missed nothing')
  await store.close()
  t.strictSame(await checkResume(t, await openAt(t, path), names), gaps)
})

t.test('an upgrade that is interrupted between two steps is finished by the next one', async t => {
  const lmdb = await import('lmdb')
  // Before and after the first that is merged; when all but the format is written; and when the lost one is dropped.
  for (const [file, steps] of [['doubled', 9], ['doubled', 10], ['doubled', 19], ['emptied', 3]] as const) {
    const { path, names } = placed(t, file)
    const databases = openDatabases(lmdb, path)
    t.throws(() => { stopAfter(steps, databases) }, new Error('stopped'))
    t.equal(databases.meta.get('format'), '1')
    await databases.root.close()
    const store = await openAt(t, path)
    const gaps = await checkResume(t, store, names)
    // The next file takes the place of this one.
    await store.close()
    t.strictSame([...gaps.keys()], file === 'doubled' ? [] : ['acme', null, 'ab'], `${file} after ${steps} steps`)
  }
})

/** Upgrades, and fails when one more transaction than these is to be written. */
function stopAfter (steps: number, { root, meta, ...databases }: Databases): void {
  let left = steps
  const stopping = <Target extends object> (database: Target): Target => new Proxy(database, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target)
      if (key === 'transactionSync' && left-- === 0) throw new Error('stopped')
      return typeof value === 'function' ? value.bind(target) as unknown : value
    }
  })
  upgrade({ ...databases, root: stopping(root), meta: stopping(meta) }, { warn () {}, error () {} })
}

t.test('a name of any length is the same after a restart, and its clients resume', async t => {
  const path = t.testdir()
  const lengths = Array.from({ length: 100 }, (empty, at) => at + 1)
  const ofLength = (text: string, length: number): string => text.repeat(length).slice(0, length).toWellFormed()
  const names = new Set(['a', 'é', '語', '😀', 'a\0'].flatMap(text => lengths.map(length => ofLength(text, length))))
  const ids = new Map<string, string[]>()
  const store = await openAt(t, path)
  const start = store.log.head(null)
  await store.close()
  for (let run = 0; run < 3; run++) {
    const store = await openAt(t, path)
    await Promise.all([...names].map(async name => {
      const id = await append(store, name)
      ids.set(name, [...ids.get(name) ?? [], id])
    }))
    await store.close()
  }
  const { log } = await openAt(t, path)
  t.equal(log.stats().streams, ids.size)
  for (const [name, own] of ids) {
    t.strictSame(idsOf(await log.read(name, start, EVERYTHING)), own, JSON.stringify(name))
  }
})

t.test('events and configs of any size are the same after a restart', async t => {
  const path = t.testdir()
  const store = await openAt(t, path)
  const start = store.log.head('acme')
  const sizes = [0, 1, 2, 3, 7, 100, 1000, 4000, 5000, 32_767, 32_768, 40_000, 100_000, 17_000_000, 1]
  const records = sizes.map(size => {
    const attachments = [Buffer.alloc(size % 1_000_000, 7), Buffer.from('x')]
    return { instance: 'acme', event: 'call', rest: Buffer.alloc(size, 'é'), attachments }
  })
  for (const record of records) await store.log.append(['acme'], record)
  const events = sizes.slice(0, 12).map(size => [`n${size}`, { enabled: true, events: ['E'.repeat(size)] }] as const)
  for (const [name, config] of events) await store.configs.set(name, config)
  await store.close()
  const { log, configs } = await openAt(t, path)
  const page = await log.read('acme', start, EVERYTHING)
  if (page === 'gap') throw new Error('a gap')
  const bytesIn = ({ rest, attachments }: LogRecord): Buffer => Buffer.concat([rest, ...attachments])
  t.equal(page.length, records.length)
  for (const [at, record] of records.entries()) {
    t.ok(page[at] !== undefined && bytesIn(record).equals(bytesIn(page[at])), `${sizes[at]} bytes`)
  }
  const listed = new Map<string, unknown>()
  for await (const [name, config] of configs.list()) listed.set(name, config)
  t.strictSame(listed, new Map(events))
  for (const [name, config] of events) t.strictSame(await configs.get(name), config)
})

t.test('what lmdb hands out is read to the length that it says, in memory that is longer', async t => {
  const state = { name: 'acme', floor: '0mjuohs000000fzfx66', count: 1, bytes: 2 }
  const value = encodeStream(state)
  const memory = Buffer.concat([value, Buffer.from('and more')])
  Object.defineProperty(memory, 'length', { value: value.length })
  t.equal(bytesOf(memory).byteLength, value.length)
  t.strictSame(decodeStream(bytesOf(memory)), state)
  const plain = new Uint8Array(memory.buffer, memory.byteOffset, value.length)
  t.strictSame(decodeStream(bytesOf(plain)), state)
})

/** Writes what a file says of its format. */
async function setFormat (path: string, format: string | undefined): Promise<void> {
  const { root, meta } = openDatabases(await import('lmdb'), path)
  await (format === undefined ? meta.remove('format') : meta.put('format', format))
  await root.close()
}

t.test('a file of another format is refused with what it has, what is known and what to do, and is not changed', async t => {
  for (const [format, why] of [
    ['3', /a newer version .* wrote it \(format 3, and this one knows 2\): update, or choose another path$/],
    ['123456789', /format 123456789/],
    ['0', /damaged/],
    ['', /damaged/],
    ['1.5', /damaged/],
    ['2x', /damaged/],
    ['\0', /damaged/],
    [undefined, /no format of ours.*move it away and restore a copy, or start anew$/]
  ] as const) {
    const path = t.testdir()
    const store = await openAt(t, path)
    await append(store, 'acme')
    await store.close()
    await setFormat(path, format)
    const before = readFileSync(join(path, 'data.mdb'))
    const error = await openAt(t, path).then(() => new Error('it was opened'), (error: Error) => error)
    t.match(error, { code: 'FST_ERR_WS_EVENTS_STORE_OPEN' })
    t.match(error.message, why)
    t.ok(error.message.includes(path))
    t.ok(before.equals(readFileSync(join(path, 'data.mdb'))))
  }
})

t.test('a file whose process was killed before it wrote the format is a new one', async t => {
  const path = t.testdir()
  const { open } = await import('lmdb')
  const root = open({ path, noSubdir: false })
  root.openDB('meta', { encoding: 'string' })
  await root.close()
  const store = await openAt(t, path)
  await append(store, 'acme')
  t.equal(store.log.stats().records, 1)
})
