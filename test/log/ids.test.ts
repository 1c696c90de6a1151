import fc from 'fast-check'
import t from 'tap'
import { Ids } from '../../lib/log/ids.js'

/** A clock that tells these times, one a call, and stays at the last. */
function clockOf (times: readonly number[]): () => number {
  let calls = 0
  return () => times[Math.min(calls++, times.length - 1)] ?? 0
}

const make = (count: number, now?: () => number): string[] => {
  const ids = new Ids(now)
  return Array.from({ length: count }, () => ids.next())
}

/** As a client compares them: by UTF-16 units, each greater than the one before. */
const isSorted = (ids: readonly string[]): boolean => ids.every((id, at) => at === 0 || (ids[at - 1] ?? '') < id)

const width = make(1)[0]?.length

t.test('ids are sorted in the order of their making, whatever the clock does', async t => {
  const time = fc.oneof(fc.integer({ min: 0, max: 36 ** 9 - 1 }), fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_010 }), fc.constantFrom(0, 1))
  fc.assert(fc.property(fc.array(time, { minLength: 1, maxLength: 200 }), times => {
    const ids = make(times.length + 5, clockOf(times))
    return isSorted(ids) && ids.every(id => id.length === width && /^[0-9a-z]+$/.test(id)) && new Set(ids).size === ids.length
  }), { numRuns: 500 })
})

t.test('ids go on being sorted when more are made in a millisecond than it has numbers for', async t => {
  const count = 36 ** 4 + 10
  const ids = new Ids(() => 1_700_000_000_000)
  let last = ids.next()
  let sorted = true
  for (let made = 1; made < count; made++) {
    const next = ids.next()
    if (next <= last || next.length !== width) sorted = false
    last = next
  }
  t.ok(sorted)
})

t.test('ids of the real clock are sorted and unique', async t => {
  const ids = make(10_000)
  t.ok(isSorted(ids))
  t.equal(new Set(ids).size, ids.length)
})

t.test('a later log continues behind an earlier one, as strings', async t => {
  const earlier = make(50, () => 1_700_000_000_000)
  const later = make(50, () => 1_700_000_000_001)
  t.ok(isSorted([...earlier, ...later]))
})

t.test('two logs give no id twice, also in the same millisecond', async t => {
  const logs = Array.from({ length: 50 }, () => make(20, () => 1_700_000_000_000))
  t.equal(new Set(logs.flat()).size, 50 * 20)
})

t.test('a clock that begins at zero makes ids like any other', async t => {
  const ids = make(3, clockOf([0, 0, 1]))
  t.ok(isSorted(ids))
  t.ok(ids.every(id => id.length === width))
})
