import assert from 'node:assert/strict'
import type { EventLog, KeyTable, OnceRequest, OnceResult } from '../../../lib/log/event-log.js'
import { turn } from '../contract-test.js'
import { assertRead, entriesOf, follow, idsOf, type LogTest, record, records, sameList, shown, type Subject } from './subject.js'

const HOUR = 3_600_000
const TABLE: KeyTable = { name: 'publish', maxKeys: 1000, maxAge: HOUR }
/** Of few keys. */
const SMALL: KeyTable = { name: 'small', maxKeys: 3, maxAge: HOUR }

const request = (key: string, parts: Partial<OnceRequest> = {}): OnceRequest => ({ table: TABLE, key, fingerprint: 'f', answer: `answer to ${key}`, ...parts })

async function appendOnce ({ log }: Pick<Subject, 'log'>, ...given: Parameters<NonNullable<EventLog['appendOnce']>>): Promise<OnceResult> {
  assert.ok(log.appendOnce, 'it keeps keys')
  return await log.appendOnce(...given)
}

/** So many events for these streams, `acme` if none is named. */
const events = (count: number, streams: ReadonlyArray<string | null> = ['acme']) => records(count).map(record => ({ streams, record }))

function idsOfResult (result: OnceResult): ReadonlyArray<string | null> {
  assert.ok('ids' in result, `it is done, and not ${result.outcome}`)
  return result.ids
}

const awkward = 'acme/é 日本 😀 " \\ \' \n %s $1 {} \u2028 x'

export const once: readonly LogTest[] = [
  {
    name: 'a request is done once for its key, and whoever repeats it is told what became of it then',
    needs: 'keys',
    async show (subject) {
      const { log } = subject
      const acme = await follow(log, 'acme')
      const root = await follow(log, null)
      const first = await appendOnce(subject, request('k'), events(3, [null, 'acme']))
      assert.equal(first.outcome, 'appended')
      await log.drained()
      const again = await appendOnce(subject, request('k', { answer: 'another' }), events(5))
      await log.drained()
      assert.deepEqual(again, { ...first, outcome: 'repeated' })
      assert.deepEqual(again, { outcome: 'repeated', ids: idsOf(acme.told), answer: 'answer to k' })
      assert.deepEqual(acme.told.map(shown), records(3).map((record, at) => shown({ ...record, id: idsOfResult(first)[at] ?? '' })))
      sameList(idsOf(root.told), idsOf(acme.told), 'in each of its streams')
      await assertRead(log, 'acme', acme.start, idsOf(acme.told), 'it is there to be read')
    }
  },
  {
    name: 'a key that comes with another request is a conflict, and appends nothing',
    needs: 'keys',
    async show (subject) {
      const acme = await follow(subject.log, 'acme')
      await appendOnce(subject, request('k'), events(1))
      assert.deepEqual(await appendOnce(subject, request('k', { fingerprint: 'g' }), events(1)), { outcome: 'conflict' })
      await subject.log.drained()
      assert.equal(acme.told.length, 1)
    }
  },
  {
    name: 'keys are texts of any kind, and each table has its own',
    needs: 'keys',
    async show (subject) {
      await follow(subject.log, 'acme')
      const keys = ['k', 'K', 'k ', 'k/', '/k', awkward, '__proto__', 'x'.repeat(300), '']
      for (const table of [TABLE, { ...TABLE, name: 'other' }]) {
        for (const key of keys) assert.equal((await appendOnce(subject, request(key, { table, answer: key }), events(1))).outcome, 'appended', JSON.stringify(key))
        for (const key of keys) assert.equal((await appendOnce(subject, request(key, { table }), events(1)) as { answer?: string }).answer, key)
      }
    }
  },
  {
    name: 'an answer and a fingerprint come back as they were',
    needs: 'keys',
    async show (subject) {
      const long = JSON.stringify({ results: new Array(1000).fill({ routes: ['/', `/${awkward}`] }) })
      await appendOnce(subject, request('k', { fingerprint: awkward, answer: long }), [])
      assert.deepEqual(await appendOnce(subject, request('k', { fingerprint: awkward }), []), { outcome: 'repeated', ids: [], answer: long })
    }
  },
  {
    name: 'an event that no stream wants has no id, then and later',
    needs: 'keys',
    async show (subject) {
      const acme = await follow(subject.log, 'acme')
      const nobody = { streams: [], record: record(9) }
      const first = idsOfResult(await appendOnce(subject, request('k'), [nobody, ...events(1), nobody]))
      await subject.log.drained()
      assert.deepEqual(first, [null, acme.told[0]?.id, null])
      assert.deepEqual(idsOfResult(await appendOnce(subject, request('k'), [])), first)
      assert.deepEqual(await appendOnce(subject, request('none'), [nobody]), { outcome: 'appended', ids: [null], answer: 'answer to none' })
      assert.deepEqual(idsOfResult(await appendOnce(subject, request('none'), events(1))), [null])
    }
  },
  {
    name: 'of many that come at once with one key, one is done and all are told of it',
    needs: 'keys',
    async show (subject) {
      const acme = await follow(subject.log, 'acme')
      const results = await Promise.all(Array.from({ length: 20 }, async () => await appendOnce(subject, request('k'), events(2))))
      await subject.log.drained()
      assert.equal(acme.told.length, 2)
      assert.equal(results.filter(({ outcome }) => outcome === 'appended').length, 1)
      for (const result of results) assert.deepEqual(idsOfResult(result), idsOf(acme.told))
    }
  },
  {
    name: 'units and single events of one stream are told in the order of the calls, and a unit is never taken apart',
    needs: 'keys',
    async show (subject) {
      const { log } = subject
      const acme = await follow(log, 'acme')
      const calls: Array<Promise<ReadonlyArray<string | null>>> = []
      for (let round = 0; round < 30; round++) {
        calls.push(appendOnce(subject, request(`k${round}`), events(1 + round * 20)).then(idsOfResult))
        const id = log.append(['acme'], record(round))
        calls.push(Promise.resolve(id).then(id => [id]))
        if (round % 7 === 0) await turn()
      }
      const ids = (await Promise.all(calls)).flat()
      await log.drained()
      sameList(idsOf(acme.told), ids.map(String), 'in the order of the calls')
    }
  },
  {
    name: 'when a table is full, a new key is refused and appends nothing, and none goes early',
    needs: 'keys',
    async show (subject) {
      const acme = await follow(subject.log, 'acme')
      const keys = ['a', 'b', 'c']
      for (const key of keys) assert.equal((await appendOnce(subject, request(key, { table: SMALL }), events(1))).outcome, 'appended')
      assert.deepEqual(await appendOnce(subject, request('d', { table: SMALL }), events(1)), { outcome: 'full' })
      for (const key of keys) assert.equal((await appendOnce(subject, request(key, { table: SMALL }), events(1))).outcome, 'repeated')
      assert.equal((await appendOnce(subject, request('a', { table: SMALL, replaces: true, answer: 'new' }), [])).outcome, 'appended', 'one that is there can be replaced')
      assert.equal((await appendOnce(subject, request('d'), events(1))).outcome, 'appended', 'another table has its own')
      await subject.log.drained()
      assert.equal(acme.told.length, 4)
    }
  },
  {
    name: 'a key is kept for as long as its table says, and then its place is free',
    needs: 'keys',
    async show (subject) {
      await follow(subject.log, 'acme')
      // Of a log whose clock cannot be set, time passes by itself.
      const maxAge = subject.offers('advance') ? HOUR : 300
      const table: KeyTable = { name: 'brief', maxKeys: 2, maxAge }
      const began = Date.now()
      await appendOnce(subject, request('a', { table }), events(1))
      await appendOnce(subject, request('b', { table }), events(1))
      await subject.advance(maxAge - 1)
      const early = await appendOnce(subject, request('a', { table }), events(1))
      if (subject.offers('advance') || Date.now() - began < maxAge) assert.equal(early.outcome, 'repeated')
      await subject.advance(1)
      while (!subject.offers('advance') && Date.now() - began < maxAge + 50) await turn()
      for (const key of ['c', 'a']) assert.equal((await appendOnce(subject, request(key, { table }), events(1))).outcome, 'appended', key)
      assert.equal((await appendOnce(subject, request('d', { table }), events(1))).outcome, 'full')
    }
  },
  {
    name: 'what replaces a key takes its place, without its events',
    needs: 'keys',
    async show (subject) {
      await follow(subject.log, 'acme')
      await appendOnce(subject, request('k'), events(1))
      assert.deepEqual(await appendOnce(subject, request('k', { replaces: true, answer: 'note' }), []), { outcome: 'appended', ids: [], answer: 'note' })
      assert.deepEqual(await appendOnce(subject, request('k'), events(1)), { outcome: 'repeated', ids: [], answer: 'note' })
    }
  },
  {
    name: 'a fence keeps out what is before it, and nothing that is known or after it',
    needs: 'keys',
    async show (subject) {
      const acme = await follow(subject.log, 'acme')
      const behind = (key: string, after: string): OnceRequest => request(key, { fence: { key: 'fence', after } })
      assert.equal((await appendOnce(subject, behind('before', '1'), events(1))).outcome, 'appended')
      await appendOnce(subject, request('fence', { replaces: true, answer: '5' }), [])
      assert.equal((await appendOnce(subject, behind('before', '1'), events(1))).outcome, 'repeated')
      assert.deepEqual(await appendOnce(subject, behind('late', '4'), events(1)), { outcome: 'fenced' })
      for (const after of ['5', '6']) assert.equal((await appendOnce(subject, behind(`after ${after}`, after), events(1))).outcome, 'appended')
      assert.deepEqual(await appendOnce(subject, { ...behind('fence', '4'), replaces: true }, []), { outcome: 'fenced' }, 'also what would replace it')
      assert.deepEqual(await appendOnce(subject, behind('late', '4'), events(1)), { outcome: 'fenced' })
      await subject.log.drained()
      assert.equal(acme.told.length, 3)
    }
  },
  {
    name: 'keys outlive what the streams remember of their events',
    needs: 'keys',
    async show (subject) {
      const acme = await follow(subject.log, 'acme')
      const first = await appendOnce(subject, request('k'), events(1))
      await subject.log.drained()
      await subject.log.remove('acme')
      assert.deepEqual(await appendOnce(subject, request('k'), events(1)), { ...first, outcome: 'repeated' })
      await subject.log.drained()
      assert.equal(acme.told.length, 1)
    }
  },
  {
    name: 'a log that is opened again knows its keys',
    needs: 'reopen',
    async show (subject) {
      if (subject.log.appendOnce === undefined) return
      await follow(subject.log, 'acme')
      const first = await appendOnce(subject, request('k', { table: SMALL }), events(2))
      for (const key of ['b', 'c']) await appendOnce(subject, request(key, { table: SMALL }), [])
      const log = await subject.reopen()
      const acme = await follow(log, 'acme')
      assert.deepEqual(await appendOnce({ log }, request('k', { table: SMALL }), events(1)), { ...first, outcome: 'repeated' })
      assert.deepEqual(await appendOnce({ log }, request('d', { table: SMALL }), events(1)), { outcome: 'full' })
      await log.drained()
      assert.equal(acme.told.length, 0)
      assert.deepEqual(entriesOf(await log.read('acme', acme.start, 1024)), [])
    }
  }
]
