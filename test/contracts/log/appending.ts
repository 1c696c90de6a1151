import assert from 'node:assert/strict'
import type { LogEntry, LogRecord, StreamName } from '../../../lib/log/event-log.js'
import { Random } from '../random.js'
import { Appends, appendAll, assertNoHole, assertRead, entriesOf, follow, type Follower, idsOf, isPending, type LogTest, readAll, record, records, sameList, shown, textOf } from './subject.js'

const MIB = 1024 * 1024
const everyByte = Buffer.from(Array.from({ length: 256 }, (empty, at) => at))
const rest = (data: unknown): Buffer => Buffer.from(`,"event":"call","data":${JSON.stringify(data)}}`)

/** What is hard to keep: each comes back as it was. */
const AWKWARD: readonly LogRecord[] = [
  record(0, { rest: Buffer.from('}') }),
  record(0, { instance: 'Teste 01', event: 'application.startup' }),
  record(0, { instance: 'café', event: 'Ereignis.größer' }),
  record(0, { rest: rest('é 日本 😀 \u2028 "quoted" \\ \n \0 \ud800 %s $1 {} \' ;') }),
  record(0, { rest: rest('x'.repeat(MIB)) }),
  record(0, { rest: rest('日本'.repeat(MIB / 4)) }),
  record(0, { attachments: [Buffer.alloc(0)] }),
  record(0, { attachments: [Buffer.from('one'), Buffer.alloc(0), everyByte, Buffer.from('four')] }),
  record(0, { attachments: Array.from({ length: 300 }, (empty, at) => Buffer.from(`part ${at}`)) }),
  record(0, { attachments: [Buffer.alloc(2 * MIB, everyByte), Buffer.alloc(70_000, 0xff)] }),
  // A view of a larger piece of memory is what it shows, and no more.
  record(0, { attachments: [everyByte.subarray(100, 110)] })
]

/** Names that look alike or mean something elsewhere, and the root's stream, which has none. */
const STREAMS: readonly StreamName[] = [null, 'null', 'undefined', 'a', 'A', 'aa', 'a ', ' a', 'a:b', 'a|b', 'a\'b', 'a"b', 'a*', '*', 'a.b', 'café', '日本', '😀', '__proto__', 'constructor', '0', '00', 'root', '$', 'x'.repeat(100), 'é'.repeat(100), 'x'.repeat(99)]

async function followAll (log: Parameters<typeof follow>[0], streams: readonly StreamName[]): Promise<Map<StreamName, Follower>> {
  const followers = new Map<StreamName, Follower>()
  for (const stream of streams) followers.set(stream, await follow(log, stream))
  return followers
}

export const appending: readonly LogTest[] = [
  {
    name: 'an event has one id: for its caller, for who watches and for who reads, in all of its streams',
    async show ({ log }) {
      const followers = await followAll(log, [null, 'acme', 'other'])
      const id = await log.append([null, 'acme', 'other'], record(1))
      await log.drained()
      for (const [stream, { start, told }] of followers) {
        sameList(idsOf(told), [id], `told by ${stream}`)
        await assertRead(log, stream, start, [id], `read from ${stream}`)
      }
    }
  },
  {
    name: 'ids are greater one after the other, and of thousands of events none is lost',
    async show ({ log }) {
      const follower = await follow(log, 'acme')
      const texts: string[] = []
      const ids: string[] = []
      for (let burst = 0; burst < 8; burst++) {
        const some = Array.from({ length: 500 }, (empty, at) => record(burst * 500 + at))
        texts.push(...some.map(textOf))
        ids.push(...await appendAll(log, ['acme'], some))
      }
      assert.ok(ids.every((id, at) => (at === 0 ? follower.start : ids[at - 1] ?? '') < id), 'each id is greater than the one before')
      sameList(idsOf(follower.told), ids, 'told')
      sameList(follower.told.map(textOf), texts, 'the events of the calls')
      const found = entriesOf(await readAll(log, 'acme', follower.start))
      sameList(idsOf(found), ids, 'read')
      sameList(found.map(textOf), texts, 'the events that were read')
    }
  },
  {
    name: 'in each stream the order is that of the calls, to whichever streams they go, awaited or not',
    async show ({ log }) {
      const random = new Random(1)
      const streams: [StreamName, ...StreamName[]] = [null, 'acme', 'other', 'third']
      const followers = await followAll(log, streams)
      const expected = new Map<StreamName, string[]>(streams.map(stream => [stream, []]))
      const appends = new Appends()
      for (let n = 0; n < 600; n++) {
        const into = random.some(streams)
        // Large and small ones take unequal times.
        const each = record(n, random.oneIn(10) ? { attachments: [Buffer.alloc(random.below(100_000))] } : {})
        for (const stream of into) expected.get(stream)?.push(textOf(each))
        const id = log.append(into, each)
        appends.add(id)
        if (random.oneIn(20)) await id
      }
      await appends.ids()
      await log.drained()
      for (const [stream, { told, start }] of followers) {
        sameList(told.map(textOf), expected.get(stream) ?? [], `told by ${stream}`)
        await assertRead(log, stream, start, idsOf(told), `read from ${stream}`)
      }
    }
  },
  {
    name: 'an event that is appended while another is told comes after it, for everybody',
    async show ({ log }) {
      const first = await follow(log, 'acme')
      const appends = new Appends()
      let left = 5
      const watch = log.watch('acme', () => {
        if (left-- > 0) appends.add(log.append(['acme'], record(left)))
      })
      await watch.ready
      const last = await follow(log, 'acme')
      await log.append(['acme'], record(99))
      // Each may have been appended when the one before was told.
      for (let times = 0; times < 6; times++) await log.drained()
      assert.equal(first.told.length, 6)
      const ids = idsOf(first.told)
      sameList(ids, ids.toSorted(), 'in order')
      sameList(idsOf(last.told), ids, 'told to who came later')
      sameList(await appends.ids(), ids.slice(1), 'as they were appended')
      await assertRead(log, 'acme', first.start, ids, 'read')
    }
  },
  {
    name: 'an event comes back as it was appended, told or read',
    async show ({ log }) {
      const follower = await follow(log, 'acme')
      const expected: LogEntry[] = []
      for (const each of AWKWARD) expected.push({ ...each, id: await log.append([null, 'acme'], each) })
      await log.drained()
      assert.deepEqual(follower.told.map(shown), expected.map(shown))
      const found = entriesOf(await readAll(log, 'acme', follower.start))
      assert.deepEqual(found.map(shown), expected.map(shown))
    }
  },
  {
    name: "streams whose names look alike are streams of their own, and the root's is no instance's",
    async show ({ log }) {
      const followers = await followAll(log, STREAMS)
      const expected = new Map<StreamName, string[]>()
      for (const stream of [...STREAMS, ...STREAMS.toReversed()]) {
        const id = await log.append([stream], record(1))
        expected.set(stream, [...expected.get(stream) ?? [], id])
      }
      await log.drained()
      for (const [stream, { start, told }] of followers) {
        sameList(idsOf(told), expected.get(stream) ?? [], `told by "${stream}"`)
        await assertRead(log, stream, start, idsOf(told), `read from "${stream}"`)
      }
      await log.remove('a')
      for (const [stream, follower] of followers) {
        assert.equal(await assertNoHole(log, stream, follower.ids()), stream === 'a' ? 0 : 2, `"${stream}" after another was removed`)
      }
    }
  },
  {
    name: 'an event whose id has come is there to be read',
    async show ({ log }) {
      const follower = await follow(log, 'acme')
      let before = follower.start
      for (const each of records(50)) {
        const appending = log.append(['acme'], each)
        const id = isPending(appending) ? await appending : appending
        await assertRead(log, 'acme', before, [id], 'at once')
        before = id
      }
    }
  },
  {
    name: 'when it is drained, everything that was appended before is told',
    async show ({ log }) {
      await log.drained()
      const follower = await follow(log, 'acme')
      const appends = new Appends()
      for (let round = 1; round <= 5; round++) {
        for (const each of records(40)) appends.add(log.append(['acme', null], each))
        await log.drained()
        assert.equal(follower.told.length, round * 40)
      }
      sameList(idsOf(follower.told), await appends.ids(), 'told')
    }
  }
]
