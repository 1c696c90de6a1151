import { open as openRoot } from 'lmdb'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { FORMAT } from '../../lib/stores/lmdb/database.js'
import { type LmdbStoreOptions, lmdbStore } from '../../lib/stores/lmdb/index.js'
import type { OpenStore } from '../../lib/stores/store.js'
import { LOADER } from '../helpers/program.js'

const quiet = { warn () {}, error () {} }

async function openAt (t: Test, options: LmdbStoreOptions | string): Promise<OpenStore> {
  const store = lmdbStore(options)
  const opened = await store.open({ retention: store.retention, logger: quiet })
  t.teardown(async () => { await opened.close() })
  return opened
}

const pad = 'x'.repeat(500)
const append = async ({ log }: OpenStore, n: number): Promise<string> =>
  await log.append([null, `instance-${n % 5}`], { instance: `instance-${n % 5}`, event: 'call', rest: Buffer.from(`,"n":${n},"pad":"${pad}"}`), attachments: [] })

/** A store with 500 events in it, closed; and the id before the first. */
async function makeStore (t: Test, path: string): Promise<string> {
  const store = await openAt(t, path)
  const start = store.log.head(null)
  await Promise.all(Array.from({ length: 500 }, async (empty, n) => await append(store, n)))
  await store.close()
  return start
}

/** Shows that a path cannot be opened, and that the error names it, and says what is wrong. */
async function refused (t: Test, path: string, why: RegExp): Promise<void> {
  const found = await openAt(t, path).then(() => new Error('it was opened'), (error: Error) => error)
  t.match(found, { code: 'FST_ERR_WS_EVENTS_STORE_OPEN' })
  t.ok(found.message.includes(path), found.message)
  t.match(found.message, why)
}

t.test('a path that is a file, or leads through one, is refused', async t => {
  const file = join(t.testdir({ file: 'text' }), 'file')
  await refused(t, file, /is a file: choose a directory$/)
  await refused(t, join(file, 'below'), /is a file: choose a directory$/)
  t.equal(readFileSync(file, 'utf8'), 'text')
})

t.test('a path that cannot be created is refused', async t => {
  await refused(t, '/proc/nowhere', /ENOENT|EACCES|EPERM|EROFS/)
})

t.test('a path where this user may not write is refused', async t => {
  const directory = t.testdir({ empty: {} })
  const [empty, kept] = [join(directory, 'empty'), join(directory, 'kept')]
  await makeStore(t, kept)
  for (const path of [empty, kept]) chmodSync(path, 0o555)
  // Root may write everywhere, so it is somebody else for a moment.
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid?.(65534)
  try {
    for (const path of [empty, join(empty, 'below'), kept]) await refused(t, path, /EACCES.*let the user of this process write there/)
  } finally {
    if (isRoot) process.seteuid?.(0)
    for (const path of [empty, kept]) chmodSync(path, 0o755)
  }
})

t.test('a file that is not of LMDB is refused, and left as it is', async t => {
  const path = t.testdir()
  for (const content of [Buffer.from('text'), Buffer.alloc(100_000, 7), Buffer.alloc(4096)]) {
    writeFileSync(join(path, 'data.mdb'), content)
    await refused(t, path, /damaged or of something else.*move it away/)
    t.strictSame(readFileSync(join(path, 'data.mdb')), content)
  }
})

t.test('a file that is empty is a new one', async t => {
  const path = t.testdir({ 'data.mdb': '' })
  const store = await openAt(t, path)
  await append(store, 1)
  t.equal(store.log.stats().records, 2)
})

t.test('a file that was cut off is refused, wherever, and does not end the process', async t => {
  const directory = t.testdir()
  await makeStore(t, join(directory, 'whole'))
  const { size } = statSync(join(directory, 'whole/data.mdb'))
  for (const left of [1, 100, 4096, 8191, 8192, 12_288, 40_000, size / 4, size / 2]) {
    const path = join(directory, `to-${Math.floor(left)}`)
    cpSync(join(directory, 'whole'), path, { recursive: true })
    truncateSync(join(path, 'data.mdb'), left)
    await refused(t, path, /damaged or of something else \((it is cut off|a part is missing)\)/)
  }
})

t.test('a file whose last pages were never written, because nothing is in them, is whole', async t => {
  const path = t.testdir()
  const start = await makeStore(t, path)
  const file = join(path, 'data.mdb')
  const bytes = readFileSync(file)
  // The number of the last page, in both first pages and in the flushed one between them.
  for (const at of [144, 2048 + 144, 4096 + 144]) bytes.writeBigUInt64LE(bytes.readBigUInt64LE(at) + 20n, at)
  writeFileSync(file, bytes)
  const { log } = await openAt(t, path)
  t.equal((await log.read(null, start, 1e6)).length, 500)
})

t.test('invalid first pages are refused', async t => {
  const directory = t.testdir()
  await makeStore(t, join(directory, 'whole'))
  const bytes = readFileSync(join(directory, 'whole/data.mdb'))
  const broken = (change: (copy: Buffer) => void, name: string): string => {
    const path = join(directory, name)
    const copy = Buffer.from(bytes)
    change(copy)
    mkdirSync(path)
    writeFileSync(join(path, 'data.mdb'), copy)
    return path
  }
  await refused(t, broken(copy => { copy.writeUInt32LE(1000, 48) }, 'page-size'), /pages of 1000 bytes/)
  await refused(t, broken(copy => { copy.writeBigUInt64LE(123_456n, 136) }, 'root'), /refers to pages that it does not have/)
  await refused(t, broken(copy => { copy.fill(0, 4096, 8192) }, 'second'), /it is not of LMDB/)
  await refused(t, broken(copy => { copy.writeUInt32LE(1, 28) }, 'version'), /version 1 of LMDB's format/)
  await refused(t, broken(copy => { copy.fill(7, 8192, 60_000) }, 'pages'), /damaged or of something else/)
})

t.test('an LMDB file of another application is refused, and left as it is', async t => {
  const path = t.testdir()
  const root = openRoot<string, string>({ path, noSubdir: false })
  await root.put('theirs', 'value')
  await root.close()
  await refused(t, path, /of something else \(it has theirs\)/)
  const again = openRoot<string, string>({ path, noSubdir: false })
  t.strictSame([...again.getRange()], [{ key: 'theirs', value: 'value' }])
  await again.close()
})

t.test('what a newer version wrote is refused', async t => {
  const path = t.testdir()
  await makeStore(t, path)
  const root = openRoot({ path, noSubdir: false })
  await root.openDB<string, string>('meta', { encoding: 'string' }).put('format', String(FORMAT + 1))
  await root.close()
  const why = new RegExp(`a newer version .*format ${FORMAT + 1}, and this one knows ${FORMAT}.*update, or choose another path`)
  await refused(t, path, why)
})

t.test('without lmdb, the error says what to install', async t => {
  const resolve = "export async function resolve (name, context, next) { if (name === 'lmdb') throw Object.assign(new Error('not here'), { code: 'ERR_MODULE_NOT_FOUND' }); return await next(name, context) }"
  const register = `import { register } from 'node:module'; register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(resolve)}`)})`
  const child = join(import.meta.dirname, '../fixtures/lmdb-child.ts')
  const order = JSON.stringify({ options: { path: t.testdir() }, work: 'hold' })
  const { status, stdout } = spawnSync(process.execPath, [...LOADER, '--import', `data:text/javascript,${encodeURIComponent(register)}`, child, order], { encoding: 'utf8' })
  t.equal(status, 1)
  t.match(stdout, /^failed the store lmdb:.* cannot be opened: install it: npm install lmdb\n$/)
})

/** Makes a disk of 3 MB. @throws when this user may not */
function smallDisk (t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'small-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', path], { stdio: 'ignore' })
  t.teardown(() => {
    execFileSync('umount', ['-l', path])
    rmSync(path, { recursive: true })
  })
  return path
}

/** Replaces a method until the function that is returned is called. */
function capture (target: Console, name: 'error', by: (...args: unknown[]) => void): () => void {
  const { [name]: before } = target
  target[name] = by
  return () => { target[name] = before }
}

// In a user namespace root may be refused, too: so it is tried.
const isRefused = spawnSync('sh', ['-c', 'd=$(mktemp -d) && mount -t tmpfs tmpfs "$d" && umount "$d" && rmdir "$d"'], { stdio: 'ignore' }).status !== 0
const smallDisks = { skip: isRefused ? 'a disk that is small can be made by root only' : false }

for (const flush of [false, true]) {
  t.test(`a full disk fails what comes, keeps what was there, and is no end${flush ? ', with flush' : ''}`, smallDisks, async t => {
    const printed: unknown[] = []
    t.teardown(capture(console, 'error', (...args) => { printed.push(args) }))
    const disk = smallDisk(t)
    const [filler, path] = [join(disk, 'filler'), join(disk, 'store')]
    writeFileSync(filler, Buffer.alloc(1_000_000))
    const store = await openAt(t, { path, flush })
    const start = store.log.head(null)
    const told: string[] = []
    store.log.watch(null, ({ id }) => { told.push(id) })
    const kept: string[] = []
    const errors: unknown[] = []
    for (let n = 0; errors.length === 0; n += 20) {
      for (const result of await Promise.allSettled(Array.from({ length: 20 }, async (empty, at) => await append(store, n + at)))) {
        if (result.status === 'fulfilled') kept.push(result.value)
        else errors.push(result.reason)
      }
    }
    const check = async (log: OpenStore['log']): Promise<void> => {
      const found = await log.read(null, start, 1e9)
      t.strictSame(found === 'gap' ? found : found.map(({ id }) => id), kept)
      t.equal(log.stats().records, 2 * kept.length)
    }
    t.ok(kept.length > 100, `${kept.length} events had room`)
    t.match(errors[0], { code: 'FST_ERR_WS_EVENTS_STORE_UNAVAILABLE', message: /could not be written: .*is the disk full\?|No space left/ })
    t.equal(errors.length, 20, 'all of a transaction fail')
    t.ok((errors[0] as Error).cause instanceof Error)
    t.strictSame(told, kept)
    t.strictSame(printed, [], 'the log of the host has it, and nothing else')
    await check(store.log)

    rmSync(filler)
    for (let n = 0; n < 20; n++) kept.push(await append(store, n))
    t.strictSame(told, kept)
    await check(store.log)
    await store.close()
    await check((await openAt(t, { path, flush })).log)
  })
}

t.test('a store on a full disk can be closed', smallDisks, async t => {
  const path = join(smallDisk(t), 'store')
  const store = await openAt(t, path)
  let failed = false
  while (!failed) await Promise.all(Array.from({ length: 50 }, async (empty, n) => await append(store, n))).catch(() => { failed = true })
  await store.close()
  t.strictSame(readdirSync(path).toSorted(), ['data.mdb', 'lock.mdb'])
})
