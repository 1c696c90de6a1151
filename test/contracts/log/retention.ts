import assert from 'node:assert/strict'
import { type EventLog, sizeOf } from '../../../lib/log/event-log.js'
import { eventually, turn } from '../contract-test.js'
import { Random } from '../random.js'
import { Appends, appendAll, assertGap, assertNoHole, assertRead, follow, idsOf, type LogTest, readAll, record, recordOf, records, remembered, sameList } from './subject.js'

/** Events that a stream may remember beyond its bound for a while, when it drops many at once. */
const atMost = (maxEvents: number): number => 2 * maxEvents + 100

/** Lets a log drop what is over its bounds: it may do so along with what it writes later. */
async function trimmed (log: EventLog): Promise<void> {
  for (let round = 0; round < 5; round++) await appendAll(log, ['other'], records(1))
}

const MAX_EVENTS = 50
const MAX_BYTES = 100_000
// In seconds, because what is too old may be looked for at times that depend on it, by the machine's clock.
const MAX_AGE = 8000

export const retention: readonly LogTest[] = [
  {
    name: 'a stream remembers maxEvents and, however many come, not many more; those it has dropped are a gap',
    retention: { maxEvents: MAX_EVENTS },
    async show ({ log }) {
      const follower = await follow(log, 'acme')
      for (let round = 0; round < 6; round++) {
        await appendAll(log, ['acme'], records(300))
        assert.ok(await remembered(log, 'acme', follower.ids()) >= MAX_EVENTS, 'what is within the bounds is there')
        await eventually('what is over maxEvents is dropped', async () => await remembered(log, 'acme', follower.ids()) <= atMost(MAX_EVENTS))
      }
      sameList(idsOf(follower.told), idsOf(follower.told).toSorted(), 'all were told')
      assert.equal(follower.told.length, 1800)
      await assertGap(log, 'acme', follower.start, 'the first head')
      assert.ok(await assertNoHole(log, 'acme', follower.ids()) >= MAX_EVENTS)
    }
  },
  {
    name: 'a stream remembers maxBytes and, however many come, not many more',
    retention: { maxBytes: MAX_BYTES },
    async show ({ log }) {
      const follower = await follow(log, 'acme')
      const sizes = [recordOf(5000), record(0, { attachments: [Buffer.alloc(2500), Buffer.alloc(2500)] })].map(sizeOf)
      const size = Math.max(...sizes)
      for (let round = 0; round < 4; round++) {
        await appendAll(log, ['acme'], Array.from({ length: 100 }, (empty, n) => n % 2 === 0 ? recordOf(5000) : record(0, { attachments: [Buffer.alloc(2500), Buffer.alloc(2500)] })))
        const count = await remembered(log, 'acme', follower.ids())
        assert.ok((count + 2) * size > MAX_BYTES, `what is within the bounds is there, and not just ${count} events`)
        await eventually('what is over maxBytes is dropped', async () => await remembered(log, 'acme', follower.ids()) * size <= 2 * MAX_BYTES + 100_000)
      }
      await assertGap(log, 'acme', follower.start, 'the first head')
      await assertNoHole(log, 'acme', follower.ids())
    }
  },
  {
    name: 'an event of more than maxBytes is told, and leaves no hole',
    retention: { maxBytes: MAX_BYTES },
    async show ({ log }) {
      const follower = await follow(log, 'acme')
      await appendAll(log, ['acme'], [record(1), recordOf(2 * MAX_BYTES), record(3), record(4, { attachments: [Buffer.alloc(3 * MAX_BYTES)] })])
      assert.equal(follower.told.length, 4)
      await remembered(log, 'acme', follower.ids())
      await appendAll(log, ['acme'], records(3))
      assert.ok(await remembered(log, 'acme', follower.ids()) >= 3, 'small ones after it are there')
    }
  },
  {
    name: 'an event of more than maxBytes is kept alone, as the newest of its streams, until the next one comes',
    retention: { maxBytes: MAX_BYTES },
    async show ({ log }) {
      const followers = [['acme', await follow(log, 'acme')], [null, await follow(log, null)]] as const
      await appendAll(log, ['acme', null], records(3))
      for (const large of [recordOf(2 * MAX_BYTES), record(0, { attachments: [Buffer.alloc(2 * MAX_BYTES)] }), recordOf(1024 * 1024)]) {
        const [older = '', before = ''] = idsOf(followers[0][1].told).slice(-2)
        const [, kept = ''] = await appendAll(log, ['acme', null], [large, large])
        await trimmed(log)
        for (const [stream, follower] of followers) {
          const [other = ''] = idsOf(follower.told).slice(-2)
          await assertRead(log, stream, other, [kept], 'after the event before it')
          assert.equal(await assertNoHole(log, stream, follower.ids()), 1, 'it is alone')
          await assertGap(log, stream, before, 'the large one before it is dropped')
          await assertGap(log, stream, older, 'and so is all that came before that')
        }
        const next = await appendAll(log, ['acme', null], records(3))
        await trimmed(log)
        for (const [stream, follower] of followers) {
          await assertRead(log, stream, kept, next, 'what came after it')
          assert.equal(await assertNoHole(log, stream, follower.ids()), 3, 'it was dropped for what came after it')
        }
      }
    }
  },
  {
    name: 'where a stream remembers a single event, its newest id is no gap, and nor is a stream that had none',
    retention: { maxEvents: 1 },
    async show ({ log }) {
      const follower = await follow(log, 'acme')
      const silent = await follow(log, 'silent')
      for (let n = 0; n < 50; n++) {
        await log.append(['acme', null], record(n))
        await log.drained()
        await assertRead(log, 'acme', follower.ids().at(-1) ?? '', [], 'the newest')
        await assertRead(log, 'acme', log.head('acme'), [], 'the head')
        assert.ok(await remembered(log, 'acme', follower.ids()) >= 1)
        await assertRead(log, 'silent', silent.start, [], 'the head of a stream without events')
      }
    }
  },
  {
    name: 'what a noisy stream drops shortens no other: not what it remembers, nor from where it can be read',
    retention: { maxEvents: MAX_EVENTS },
    async show ({ log }) {
      const silent = await follow(log, 'silent')
      const quiet = await follow(log, 'quiet')
      const noisy = await follow(log, 'noisy')
      const root = await follow(log, null)
      const ids = await appendAll(log, ['quiet', null], records(3))
      for (let round = 0; round < 4; round++) {
        await appendAll(log, ['noisy', null], records(250))
        ids.push(...await appendAll(log, ['quiet', null], records(1)))
        sameList(quiet.ids().slice(1), ids, 'told by the quiet one')
        assert.equal(await assertNoHole(log, 'quiet', quiet.ids()), ids.length)
        assert.equal(await assertNoHole(log, 'silent', silent.ids()), 0)
      }
      await eventually('the noisy one drops its own', async () => await remembered(log, 'noisy', noisy.ids()) <= atMost(MAX_EVENTS))
      await eventually('the root drops its own', async () => await remembered(log, null, root.ids()) <= atMost(MAX_EVENTS))
      await assertRead(log, 'quiet', quiet.start, ids, 'the quiet one, from its first head')
      await assertGap(log, null, ids[0] ?? '', 'the same id, of the root')
      // The noisy one had its first event after this one: what it dropped came later.
      await assertGap(log, 'noisy', ids[0] ?? '', 'the same id, of the noisy one')
    }
  },
  {
    name: 'who reads page by page while what is old is dropped misses nothing in silence',
    retention: { maxEvents: MAX_EVENTS },
    async show ({ log }) {
      const random = new Random(3)
      const follower = await follow(log, 'acme')
      const appends = new Appends()
      let complete = 0
      for (let n = 0; n < 60; n++) {
        const after = follower.ids().at(-1 - random.below(MAX_EVENTS)) ?? follower.start
        const got: string[] = []
        for (let last = after; ;) {
          for (let left = random.below(12); left > 0; left--) appends.add(log.append(['acme'], record(left)))
          const page = await log.read('acme', last, 600)
          if (page === 'gap') break
          if (page.length === 0 || got.length > 200) {
            complete++
            break
          }
          got.push(...idsOf(page))
          last = got.at(-1) ?? after
          if (random.oneIn(3)) await turn()
        }
        await log.drained()
        sameList(got, idsOf(follower.told).filter(id => id > after).slice(0, got.length), 'what was read')
      }
      sameList(idsOf(follower.told), await appends.ids(), 'told')
      assert.ok(complete > 0, 'some were fast enough')
    }
  },
  {
    name: 'a stream that is removed has dropped its past, and has a future',
    async show ({ log }) {
      const [acme, other, root] = [await follow(log, 'acme'), await follow(log, 'other'), await follow(log, null)]
      await appendAll(log, ['acme', null], records(5))
      await appendAll(log, ['other', null], records(5))
      await log.remove('acme')
      assert.equal(await assertNoHole(log, 'acme', acme.ids()), 0)
      assert.equal(await assertNoHole(log, 'other', other.ids()), 5)
      assert.equal(await assertNoHole(log, null, root.ids()), 10)
      await assertRead(log, 'acme', log.head('acme'), [], 'its head')
      await appendAll(log, ['acme', null], records(5))
      assert.equal(acme.told.length, 10, 'who watches goes on')
      assert.equal(await assertNoHole(log, 'acme', acme.ids()), 5)
      await log.remove(null)
      assert.equal(await assertNoHole(log, 'acme', acme.ids()), 5)
      assert.equal(await assertNoHole(log, null, root.ids()), 0)
    }
  },
  {
    name: 'a stream can be removed that has no past, or is not watched',
    async show ({ log }) {
      await log.remove('unheard-of')
      const follower = await follow(log, 'acme')
      await log.remove('acme')
      await log.remove('acme')
      assert.equal(await assertNoHole(log, 'acme', follower.ids()), 0)
      const ids = await appendAll(log, ['acme'], records(3))
      follower.close()
      await log.remove('acme')
      for (const id of [follower.start, ...ids.slice(0, -1)]) await assertGap(log, 'acme', id, 'an id from before')
      const back = await follow(log, 'acme')
      for (const id of [follower.start, ...ids.slice(0, -1)]) await assertGap(log, 'acme', id, 'an id from before, watched again')
      ids.push(...await appendAll(log, ['acme'], records(3)))
      await assertRead(log, 'acme', back.start, ids.slice(-3), 'what came since')
    }
  },
  {
    name: 'a stream that is removed while events keep coming has no hole, and tells of them all',
    async show ({ log }) {
      const random = new Random(4)
      const follower = await follow(log, 'acme')
      const appends = new Appends()
      for (let round = 0; round < 20; round++) {
        for (let left = random.below(30); left > 0; left--) appends.add(log.append(['acme', null], record(left)))
        const removed = log.remove('acme')
        for (let left = random.below(30); left > 0; left--) appends.add(log.append(['acme', null], record(left)))
        await removed
        const since = 1 + random.below(10)
        for (let left = since; left > 0; left--) appends.add(log.append(['acme', null], record(left)))
        await log.drained()
        sameList(idsOf(follower.told), await appends.ids(), 'told')
        assert.ok(await remembered(log, 'acme', follower.ids()) >= since, 'what came since it was removed is there')
      }
      await assertNoHole(log, 'acme', follower.ids())
    }
  },
  {
    name: 'its figures grow with what it holds, and shrink with what it drops',
    retention: { maxEvents: MAX_EVENTS },
    async show ({ log }) {
      const sane = (): ReturnType<typeof log.stats> => {
        const stats = log.stats()
        for (const [name, value] of Object.entries(stats)) assert.ok(Number.isSafeInteger(value) && value >= 0, `${name} is ${value}`)
        return stats
      }
      const empty = sane()
      for (const stream of ['acme', 'other']) {
        await follow(log, stream)
        await appendAll(log, [stream], Array.from({ length: MAX_EVENTS / 2 }, () => recordOf(1000)))
      }
      await eventually('two streams have grown', async () => {
        const { streams, records, bytes } = sane()
        return streams >= empty.streams + 2 && records >= empty.records + MAX_EVENTS && bytes >= empty.bytes + MAX_EVENTS * 1000
      })
      await appendAll(log, ['acme'], Array.from({ length: 20 * MAX_EVENTS }, () => recordOf(1000)))
      await eventually('what is dropped is not counted', async () => sane().records <= empty.records + MAX_EVENTS / 2 + atMost(MAX_EVENTS))
      const full = sane()
      await log.remove('acme')
      await eventually('what was removed is not counted', async () => {
        const { records, bytes } = sane()
        return records <= full.records - MAX_EVENTS && bytes <= full.bytes - MAX_EVENTS * 1000
      })
    }
  },
  {
    name: 'what is older than maxAge is dropped, and what is not is there',
    needs: 'advance',
    retention: { maxAge: MAX_AGE },
    async show (subject) {
      const { log } = subject
      const acme = await follow(log, 'acme')
      await appendAll(log, ['acme'], records(5))
      await subject.advance(MAX_AGE / 4)
      await appendAll(log, ['acme'], records(5))
      assert.equal(await assertNoHole(log, 'acme', acme.ids()), 10)
      await subject.advance(MAX_AGE / 4)
      await appendAll(log, ['acme'], records(5))
      assert.equal(await assertNoHole(log, 'acme', acme.ids()), 15)
      await subject.advance(MAX_AGE * 2)
      await eventually('what is too old is dropped', async () => {
        await appendAll(log, ['acme'], records(1))
        return await log.read('acme', acme.told[4]?.id ?? '', 1) === 'gap' && await log.read('acme', acme.told[13]?.id ?? '', 1) === 'gap'
      })
      assert.equal(await assertNoHole(log, 'acme', acme.ids()), acme.told.length - 15)
    }
  },
  {
    name: 'that a stream has been quiet for ten times maxAge is no gap',
    needs: 'advance',
    retention: { maxAge: MAX_AGE },
    async show (subject) {
      const { log } = subject
      const [silent, quiet, noisy] = [await follow(log, 'silent'), await follow(log, 'quiet'), await follow(log, 'noisy')]
      const ids = await appendAll(log, ['quiet'], records(3))
      for (let n = 0; n < 100; n++) {
        await subject.advance(MAX_AGE / 10)
        await appendAll(log, ['noisy'], records(1))
        if (n % 10 !== 9) continue
        await assertRead(log, 'silent', silent.start, [], 'the head of a stream without events')
        await assertRead(log, 'quiet', ids.at(-1) ?? '', [], 'the newest id of a quiet stream')
        await assertNoHole(log, 'quiet', quiet.ids())
      }
      await eventually('what is too old is dropped', async () => {
        await appendAll(log, ['noisy'], records(1))
        return await log.read('noisy', noisy.start, 1) === 'gap'
      })
      for (const [stream, { start }] of [['silent', silent], ['quiet', quiet]] as const) {
        const head = log.head(stream)
        const [next] = await appendAll(log, [stream], records(1))
        await assertRead(log, stream, head, [next ?? ''], 'what came at last')
        if (stream === 'silent') await assertRead(log, stream, start, [next ?? ''], 'from the first head')
      }
      await assertRead(log, 'quiet', ids.at(-1) ?? '', idsOf(quiet.told).slice(3), 'after so long')
      assert.notEqual(await readAll(log, 'silent', silent.start), 'gap')
    }
  }
]
