import assert from 'node:assert/strict'
import type { EventLog } from '../../../lib/log/event-log.js'
import { eventually, tick } from '../contract-test.js'
import { Random } from '../random.js'
import { Appends, appendAll, assertGap, assertNoHole, assertRead, follow, idsOf, type LogTest, readAll, record, recordOf, records, remembered, sameList, shown } from './subject.js'

const MAX_EVENTS = 50
const MAX_AGE = 8000

/** What comes after an id, as a test compares it. */
async function past (log: EventLog, stream: string | null, after: string): Promise<readonly object[] | 'gap'> {
  const found = await readAll(log, stream, after)
  return found === 'gap' ? 'gap' : found.map(shown)
}

export const reopening: readonly LogTest[] = [
  {
    name: 'everything is there as it was, and can be read before anybody watches',
    needs: 'reopen',
    async show (subject) {
      const acme = await follow(subject.log, 'acme')
      const root = await follow(subject.log, null)
      await appendAll(subject.log, ['acme', null], [record(1), record(2, { instance: 'café' }), recordOf(300_000), record(4, { attachments: [Buffer.from('one'), Buffer.alloc(0), Buffer.alloc(70_000, 0xff)] })])
      await appendAll(subject.log, [null], records(3))
      const before = [await past(subject.log, 'acme', acme.start), await past(subject.log, null, root.start)]
      for (let time = 0; time < 3; time++) {
        const log = await subject.reopen()
        assert.deepEqual([await past(log, 'acme', acme.start), await past(log, null, root.start)], before)
        assert.equal(await assertNoHole(log, 'acme', acme.ids()), 4)
        assert.equal(await assertNoHole(log, null, root.ids()), 7)
      }
    }
  },
  {
    name: 'an event of more than maxBytes is still there',
    needs: 'reopen',
    retention: { maxBytes: 100_000 },
    async show (subject) {
      const [acme, root] = [await follow(subject.log, 'acme'), await follow(subject.log, null)]
      const [before = ''] = await appendAll(subject.log, ['acme', null], records(1))
      const [large = ''] = await appendAll(subject.log, ['acme', null], [recordOf(300_000)])
      for (let time = 0; time < 2; time++) {
        const log = await subject.reopen()
        for (let round = 0; round < 5; round++) await appendAll(log, ['other'], records(1))
        for (const [stream, follower] of [['acme', acme], [null, root]] as const) {
          await assertRead(log, stream, before, [large], 'after the event before it')
          assert.equal(await assertNoHole(log, stream, follower.ids()), 1)
        }
      }
      const next = await appendAll(subject.log, ['acme'], records(1))
      await assertRead(subject.log, 'acme', large, next, 'what came after it')
    }
  },
  {
    name: 'ids go on growing, heads go on, and what comes later follows what was there',
    needs: 'reopen',
    async show (subject) {
      const silent = await follow(subject.log, 'silent')
      const first = await follow(subject.log, 'acme')
      const ids = [first.start]
      for (let time = 0; time < 5; time++) {
        const before = await appendAll(subject.log, ['acme'], records(5))
        const head = subject.log.head('acme')
        ids.push(...before)
        const log = await subject.reopen()
        const follower = await follow(log, 'acme')
        assert.ok(follower.start >= (before.at(-1) ?? ''), 'the head is not behind what was there')
        await assertRead(log, 'acme', follower.start, [], 'its head')
        await assertRead(log, 'acme', head, [], 'its head from before')
        const after = await appendAll(log, ['acme'], records(5))
        assert.ok(after.every(id => id > follower.start && id > head), 'ids are greater than those from before')
        sameList(idsOf(follower.told), after, 'told')
        await assertRead(log, 'acme', head, after, 'after the head from before')
        ids.push(...after)
      }
      assert.equal(await assertNoHole(subject.log, 'acme', [first.start, ...ids.slice(1)]), 50)
      await assertRead(subject.log, 'silent', silent.start, [], 'the head of a stream without events')
    }
  },
  {
    name: 'what was appended and not waited for is kept, and told before the end or not at all',
    needs: 'reopen',
    async show (subject) {
      for (let time = 0; time < 5; time++) {
        const follower = await follow(subject.log, 'acme')
        const appends = new Appends()
        for (const each of records(200)) appends.add(subject.log.append(['acme', null], each))
        const log = await subject.reopen()
        const count = follower.told.length
        const ids = await appends.ids()
        await assertRead(log, 'acme', follower.start, ids, 'what was appended last')
        await appendAll(log, ['acme'], records(3))
        assert.equal(follower.told.length, count, 'nothing is told by a log that is closed')
        sameList(idsOf(follower.told), ids.slice(0, count), 'told')
      }
    }
  },
  {
    name: 'what was dropped stays a gap, and a stream from which nothing was dropped has none',
    needs: 'reopen',
    retention: { maxEvents: MAX_EVENTS },
    async show (subject) {
      const [noisy, quiet, last] = [await follow(subject.log, 'noisy'), await follow(subject.log, 'quiet'), await follow(subject.log, 'last')]
      await appendAll(subject.log, ['quiet'], records(3))
      await appendAll(subject.log, ['noisy'], records(20 * MAX_EVENTS))
      await appendAll(subject.log, ['last'], records(2 * MAX_EVENTS))
      await eventually('the oldest are dropped', async () => await subject.log.read('noisy', noisy.start, 1) === 'gap')
      for (let time = 0; time < 3; time++) {
        const dropped = noisy.ids().length - 1 - await remembered(subject.log, 'noisy', noisy.ids())
        const log = await subject.reopen()
        for (const id of noisy.ids().slice(0, dropped)) await assertGap(log, 'noisy', id, 'what was dropped before')
        assert.ok(await remembered(log, 'noisy', noisy.ids()) >= MAX_EVENTS, 'what is within the bounds is there')
        assert.ok(await remembered(log, 'last', last.ids()) >= MAX_EVENTS, 'what is within the bounds is there')
        assert.equal(await assertNoHole(log, 'quiet', quiet.ids()), 3)
      }
    }
  },
  {
    name: 'a stream that was removed stays so',
    needs: 'reopen',
    async show (subject) {
      const acme = await follow(subject.log, 'acme')
      const other = await follow(subject.log, 'other')
      await appendAll(subject.log, ['acme', 'other'], records(5))
      await subject.log.remove('acme')
      const since = await appendAll(subject.log, ['acme'], records(2))
      await subject.log.remove('other')
      const log = await subject.reopen()
      assert.equal(await assertNoHole(log, 'acme', acme.ids()), 2)
      assert.equal(await assertNoHole(log, 'other', other.ids()), 0)
      await assertRead(log, 'acme', acme.told[4]?.id ?? '', since, 'what came since it was removed')
    }
  },
  {
    name: 'an id of another log is a gap still',
    needs: 'reopen',
    async show (subject) {
      const other = await subject.another()
      const [mine, foreign] = [await follow(subject.log, 'acme'), await follow(other, 'acme')]
      for (let n = 0; n < 5; n++) {
        await subject.advance(1000)
        await tick()
        await other.append(['acme'], record(n))
        await subject.log.append(['acme'], record(n))
      }
      await other.drained()
      await subject.log.drained()
      const log = await subject.reopen()
      for (const id of foreign.ids()) await assertGap(log, 'acme', id, 'an id of another log')
      for (const id of mine.ids()) await assertGap(other, 'acme', id, 'an id of another log')
      assert.equal(await assertNoHole(log, 'acme', mine.ids()), 5)
    }
  },
  {
    name: 'whatever was done, and however often it was reopened in between, there is no hole',
    needs: 'reopen',
    retention: { maxEvents: 20 },
    async show (subject) {
      const random = new Random(5)
      const streams: ['acme', 'other', null] = ['acme', 'other', null]
      const known = new Map<string | null, [string, ...string[]]>()
      for (const stream of streams) known.set(stream, [(await follow(subject.log, stream)).start])
      for (let step = 0; step < 120; step++) {
        const { log } = subject
        const chance = random.below(12)
        if (chance === 0) await subject.reopen()
        else if (chance === 1) await log.remove(random.pick(streams))
        else {
          const into = random.some(streams)
          const ids = await appendAll(log, into, records(1 + random.below(15)))
          for (const stream of into) known.get(stream)?.push(...ids)
        }
        for (const [stream, ids] of known) await remembered(subject.log, stream, ids)
      }
      for (const [stream, ids] of known) await assertNoHole(await subject.reopen(), stream, ids)
    }
  },
  {
    name: 'what has grown too old meanwhile is dropped, and a stream that was quiet has no gap',
    needs: 'reopen',
    retention: { maxAge: MAX_AGE },
    async show (subject) {
      if (!subject.offers('advance')) return
      const [acme, quiet, silent] = [await follow(subject.log, 'acme'), await follow(subject.log, 'quiet'), await follow(subject.log, 'silent')]
      await appendAll(subject.log, ['acme', 'quiet'], records(5))
      await subject.advance(MAX_AGE * 10)
      const log = await subject.reopen()
      await assertRead(log, 'silent', silent.start, [], 'the head of a stream without events')
      await assertRead(log, 'quiet', quiet.told.at(-1)?.id ?? '', [], 'the newest id of a quiet stream')
      await follow(log, 'acme')
      const since: string[] = []
      await eventually('what is too old is dropped', async () => {
        since.push(...await appendAll(log, ['acme'], records(1)))
        return await log.read('acme', acme.start, 1) === 'gap'
      })
      await assertRead(log, 'acme', acme.told.at(-1)?.id ?? '', since, 'what came since')
      await assertNoHole(log, 'quiet', quiet.ids())
    }
  }
]
