import t from 'tap'
import { Backlog } from '../../lib/gateway/backlog.js'
import type { FrameBatch } from '../../lib/gateway/batch.js'

const KB = 1024

/** A batch of messages of such sizes, as far as a backlog looks at it. */
function batchOf (...sizes: readonly number[]): FrameBatch {
  let end = 0
  const large = []
  for (const size of sizes) {
    end += size
    if (size > 64 * KB) large.push({ size, end })
  }
  return { size: end, large } as unknown as FrameBatch
}

t.test('a large message counts until its last byte has left, and then no more', async t => {
  const backlog = new Backlog(0, 0)
  backlog.wrote(batchOf(100, 1000 * KB, 50))
  backlog.wrote(batchOf(30))
  const all = 1000 * KB + 180
  t.strictSame(backlog.large(all), { count: 1, bytes: 1000 * KB })
  t.strictSame(backlog.large(all - 100), { count: 1, bytes: 1000 * KB }, 'what was before it has left')
  t.strictSame(backlog.large(all - 100 - 600 * KB), { count: 1, bytes: 400 * KB }, 'a part of it has left')
  t.strictSame(backlog.large(80), { count: 0, bytes: 0 }, 'what is behind it waits')
  t.strictSame(backlog.large(0), { count: 0, bytes: 0 })
})

t.test('several large messages are counted each, and 64 KiB are small', async t => {
  const backlog = new Backlog(0, 0)
  backlog.wrote(batchOf(100 * KB, 64 * KB, 200 * KB))
  backlog.wroteOne(300 * KB)
  backlog.wroteOne(10)
  t.strictSame(backlog.large(664 * KB + 10), { count: 3, bytes: 600 * KB })
  t.strictSame(backlog.large(564 * KB + 10), { count: 2, bytes: 500 * KB })
})

t.test('what others have written to the connection counts as if it waited before', async t => {
  const backlog = new Backlog(0, 0)
  backlog.wrote(batchOf(100 * KB))
  t.strictSame(backlog.large(150 * KB), { count: 1, bytes: 100 * KB }, 'never more than its size')
})

t.test('a client keeps reading while 64 KiB leave in ten seconds', async t => {
  const backlog = new Backlog(0, 0)
  t.equal(backlog.keepsReading(1000, 0), true, 'from when it is looked at first')
  t.equal(backlog.keepsReading(11_000, 64 * KB - 1), true)
  t.equal(backlog.keepsReading(11_001, 64 * KB - 1), false, 'one byte too few')
  t.equal(backlog.keepsReading(11_001, 64 * KB), true)
  t.equal(backlog.keepsReading(21_001, 64 * KB), true)
  t.equal(backlog.keepsReading(21_002, 64 * KB), false, 'nothing more in ten seconds')
  t.equal(backlog.keepsReading(21_003, 0), true, 'another transport, which counts from its own beginning')
  t.equal(backlog.keepsReading(31_004, 0), false)
})

t.test('it notes when its client has taken something last', async t => {
  const backlog = new Backlog(5, 100)
  backlog.see(10, 100)
  t.equal(backlog.movedAt, 5)
  backlog.see(20, 101)
  t.equal(backlog.movedAt, 20)
  backlog.see(30, null)
  t.equal(backlog.movedAt, 20, 'it cannot be told')
})
