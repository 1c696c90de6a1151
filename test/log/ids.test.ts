import fc from 'fast-check'
import t from 'tap'
import { epochOf, Ids, leastIdAt, newEpoch, timeOf } from '../../lib/log/ids.js'

const NOW = 1_700_000_000_000

/** A clock that tells these times, one a call, and stays at the last. */
function clockOf (times: readonly number[]): () => number {
  let calls = 0
  return () => times[Math.min(calls++, times.length - 1)] ?? 0
}

const next = (ids: Ids, count: number): string[] => Array.from({ length: count }, () => ids.next())
const make = (count: number, now: () => number = Date.now): string[] => next(new Ids({ now }), count)

/** As a client compares them: by UTF-16 units, each greater than the one before. */
const isSorted = (ids: readonly string[]): boolean => ids.every((id, at) => at === 0 || (ids[at - 1] ?? '') < id)

const width = new Ids().last.length

const time = fc.oneof(fc.integer({ min: 0, max: 36 ** 9 - 1 }), fc.integer({ min: NOW, max: NOW + 10 }), fc.constantFrom(0, 1))
const times = fc.array(time, { minLength: 1, maxLength: 200 })

t.test('ids are sorted in the order of their making, whatever the clock does', async t => {
  fc.assert(fc.property(times, times => {
    const made = new Ids({ now: clockOf(times) })
    const ids = [made.last, ...next(made, times.length + 5)]
    return isSorted(ids) && ids.every(id => id.length === width && /^[0-9a-z]+$/.test(id)) && made.last === ids.at(-1)
  }), { numRuns: 500 })
})

t.test('ids go on being sorted when more are made in a millisecond than it has numbers for', async t => {
  const count = 36 ** 4 + 10
  const ids = new Ids({ now: () => NOW })
  let last = ids.next()
  let sorted = true
  for (let made = 1; made < count; made++) {
    const next = ids.next()
    if (next <= last || next.length !== width) sorted = false
    last = next
  }
  t.ok(sorted)
  t.equal(timeOf(last), NOW + 1)
})

t.test('ids of the real clock are sorted and unique', async t => {
  const ids = make(10_000)
  t.ok(isSorted(ids))
  t.equal(new Set(ids).size, ids.length)
})

t.test('there is a newest id from the start, and what is made is greater', async t => {
  const ids = new Ids({ now: () => NOW })
  const { last } = ids
  t.equal(last.length, width)
  t.equal(timeOf(last), NOW)
  t.ok(ids.isOurs(last))
  const made = ids.next()
  t.ok(made > last)
  t.equal(ids.last, made)
})

t.test('a later log continues behind an earlier one, as strings', async t => {
  const earlier = make(50, () => NOW)
  const later = make(50, () => NOW + 1)
  t.ok(isSorted([...earlier, ...later]))
})

t.test('two logs give no id twice, also in the same millisecond', async t => {
  const logs = Array.from({ length: 50 }, () => make(20, () => NOW))
  t.equal(new Set(logs.flat()).size, 50 * 20)
})

t.test('a clock that begins at zero makes ids like any other', async t => {
  const ids = make(3, clockOf([0, 0, 1]))
  t.ok(isSorted(ids))
  t.ok(ids.every(id => id.length === width))
})

t.test('a log that goes on after an id begins with it, and makes greater ones, also when the clock was set back', async t => {
  fc.assert(fc.property(times, times, (before, after) => {
    const earlier = new Ids({ now: clockOf(before) })
    const ids = [earlier.last, ...next(earlier, before.length)]
    const later = new Ids({ epoch: earlier.epoch, after: earlier.last, now: clockOf(after) })
    if (later.last !== earlier.last || !ids.every(id => later.isOurs(id))) return false
    ids.push(...next(later, after.length))
    return isSorted(ids) && ids.every(id => later.isOurs(id) && epochOf(id) === earlier.epoch)
  }), { numRuns: 500 })
})

t.test('a log that goes on after the last number of a millisecond goes on in the next one', async t => {
  const epoch = newEpoch()
  const last = `${leastIdAt(NOW)}zzzz${epoch}`
  const ids = new Ids({ epoch, after: last, now: () => NOW - 60_000 })
  const made = ids.next()
  t.ok(made > last)
  t.equal(made, `${leastIdAt(NOW + 1)}0000${epoch}`)
})

t.test('an epoch is six digits, in every id of its log, and another for each log', async t => {
  const logs = Array.from({ length: 100 }, () => new Ids())
  t.equal(new Set(logs.map(({ epoch }) => epoch)).size, 100)
  for (const ids of logs) {
    t.match(ids.epoch, /^[0-9a-z]{6}$/)
    t.equal(epochOf(ids.last), ids.epoch)
    t.equal(epochOf(ids.next()), ids.epoch)
  }
  t.equal(new Ids({ epoch: '00000z' }).epoch, '00000z')
  t.match(newEpoch(), /^[0-9a-z]{6}$/)
})

t.test('only what was made here, or may have been, is ours', async t => {
  const ids = new Ids({ now: () => NOW })
  const { epoch } = ids
  const made = [ids.last, ...next(ids, 100)]
  t.ok(made.every(id => ids.isOurs(id)))
  const last = made.at(-1) ?? ''

  const future = [`${leastIdAt(NOW)}0100${epoch}`, `${leastIdAt(NOW + 1)}0000${epoch}`, `zzzzzzzzzzzzz${epoch}`]
  for (const id of future) t.notOk(ids.isOurs(id), `${id} is newer than ${last}`)

  // Made between two of ours, by somebody else.
  const other = epoch === 'zzzzzz' ? '000000' : 'zzzzzz'
  for (const id of [`${leastIdAt(NOW)}0010${other}`, ...make(5, () => NOW - 1), ...make(5, () => NOW)]) t.notOk(ids.isOurs(id), `${id} is of another epoch`)

  const rubbish = ['', ' ', '0', epoch, '0'.repeat(width), 'z'.repeat(width), last.slice(1), last.slice(0, -1), `${last}0`, `0${last}`, ` ${last}`, `${last} `, `${last}\n`, `\n${last}`, `${last}\0`,
    `-${last.slice(1)}`, `+${last.slice(1)}`, `.${last.slice(1)}`, `${leastIdAt(NOW).toUpperCase()}0000${epoch}`, `é${last.slice(1)}`, `٣${last.slice(1)}`, '__proto__', 'constructor', 'null', '1700000000000-0', last + last, '0'.repeat(65_536) + epoch]
  for (const text of rubbish.filter(text => !made.includes(text))) t.notOk(ids.isOurs(text), JSON.stringify(text.slice(0, 60)))

  fc.assert(fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.string({ minLength: width, maxLength: width })), text => !ids.isOurs(text)))
})

t.test('an id that comes yet becomes ours when it comes', async t => {
  const ids = new Ids({ epoch: 'abc123', now: () => NOW })
  const twin = new Ids({ epoch: 'abc123', after: ids.last, now: () => NOW })
  const coming = twin.next()
  t.notOk(ids.isOurs(coming))
  t.equal(ids.next(), coming)
  t.ok(ids.isOurs(coming))
})

t.test('an id tells its time, and is not less than the least of that time', async t => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 36 ** 9 - 2 }), now => {
    const id = new Ids({ now: () => now }).last
    return timeOf(id) === now && leastIdAt(now) < id && leastIdAt(now + 0.5) < id && (now === 0 || leastIdAt(now - 1) < leastIdAt(now)) && leastIdAt(now + 1) > id
  }))
  t.equal(leastIdAt(-5), leastIdAt(0), 'before 1970 there was none')
})
