import assert from 'node:assert/strict'
import { type EventLog, sizeOf, type StreamName } from '../../../lib/log/event-log.js'
import { tick } from '../contract-test.js'
import { Random } from '../random.js'
import { appendAll, assertGap, assertNoHole, assertRead, entriesOf, follow, idsOf, type LogTest, readAll, record, recordOf, records, sameList } from './subject.js'

/** What a client may send that is no id. */
const RUBBISH: readonly string[] = [
  '', ' ', '0', '1', '-1', '1e9', 'NaN', 'Infinity', 'null', 'undefined', 'true', '{}', '[]', '*', '+', '-', '$', '>', '(', '%', '\0', '\n', '/', '..', "' OR 1=1 --",
  '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'gap', 'é', '日本', '😀', '\ud800', '\uffff', '٣',
  '00000000-0000-0000-0000-000000000000', '2026-01-01T00:00:00.000Z', '1700000000000', '1700000000000-0', '9007199254740993', '9'.repeat(19), '0'.repeat(19), 'z'.repeat(19), 'Z'.repeat(19),
  'x'.repeat(65_536), '0'.repeat(65_536), '日'.repeat(65_536)
]

/** Texts that are nearly an id. */
const almost = (id: string): string[] => [`${id}0`, `0${id}`, `${id} `, ` ${id}`, `${id}\n`, `${id}\0`, id.slice(0, -1), id.slice(1), id + id, `${id},${id}`, `${id.slice(0, -1)}é`, `"${id}"`]

/** Texts of the same width as an id that differ from it in one place. */
function changed (id: string): string[] {
  return Array.from(id).flatMap((character, at) => ['0', '5', 'a', 'z']
    .filter(other => other !== character)
    .map(other => id.slice(0, at) + other + id.slice(at + 1)))
}

/** Three streams that have had events in turn. */
async function fill (log: EventLog): Promise<Map<StreamName, { start: string, ids: string[] }>> {
  const random = new Random(2)
  const streams: [StreamName, ...StreamName[]] = [null, 'acme', 'other']
  const filled = new Map<StreamName, { start: string, ids: string[] }>()
  for (const stream of streams) filled.set(stream, { start: (await follow(log, stream)).start, ids: [] })
  for (let n = 0; n < 40; n++) {
    const into = random.some(streams)
    const id = await log.append(into, record(n))
    for (const stream of into) filled.get(stream)?.ids.push(id)
  }
  await log.drained()
  return filled
}

export const reading: readonly LogTest[] = [
  {
    name: 'a stream has a head from the start, before any event, and what is appended comes after it',
    async show ({ log }) {
      for (const stream of ['acme', null]) {
        const { start } = await follow(log, stream)
        assert.equal(typeof start, 'string')
        await assertRead(log, stream, start, [], 'before any event')
        const id = await log.append([stream], record(1))
        await log.drained()
        await assertRead(log, stream, start, [id], 'after one')
        await assertRead(log, stream, log.head(stream), [], 'its head is the newest')
      }
    }
  },
  {
    name: 'what is read is what came after an id, all of it and nothing else, as often as it is asked for',
    async show ({ log }) {
      const follower = await follow(log, 'acme')
      await appendAll(log, ['acme', null], records(80))
      for (let time = 0; time < 2; time++) assert.equal(await assertNoHole(log, 'acme', follower.ids()), 80)
    }
  },
  {
    name: 'a page has as much as maxBytes allow, and all pages together have everything',
    async show ({ log }) {
      const { start } = await follow(log, 'acme')
      const ids = await appendAll(log, ['acme'], Array.from({ length: 100 }, (empty, n) => recordOf(n % 10 === 0 ? 3000 : 1000)))
      for (const maxBytes of [5000, 10_000, 40_000]) {
        const page = entriesOf(await log.read('acme', start, maxBytes))
        const bytes = page.reduce((sum, entry) => sum + sizeOf(entry), 0)
        assert.ok(bytes > maxBytes / 4 && bytes < maxBytes * 2, `of ${maxBytes} bytes, ${bytes} came`)
      }
      for (const maxBytes of [0, 1, 999, 1500, 5000, 64_000, 2 ** 31, Number.MAX_SAFE_INTEGER]) {
        const found = entriesOf(await readAll(log, 'acme', start, maxBytes))
        sameList(idsOf(found), ids, `in pages of ${maxBytes}`)
      }
    }
  },
  {
    name: 'an event that is larger than a page comes all the same',
    async show ({ log }) {
      const { start } = await follow(log, 'acme')
      const large = { attachments: [Buffer.alloc(500_000)] }
      const ids = await appendAll(log, ['acme'], [record(1), record(2, large), record(3, large), recordOf(500_000), record(5)])
      for (const maxBytes of [0, 1, 1000]) {
        const found = entriesOf(await readAll(log, 'acme', start, maxBytes))
        sameList(idsOf(found), ids, `in pages of ${maxBytes}`)
      }
      const page = await log.read('acme', ids[0] ?? '', 1000)
      assert.equal(page.length, 1, 'a page has no second event where one is too much')
    }
  },
  {
    name: 'an id of another stream of the log says as well from where to read',
    async show ({ log }) {
      const filled = await fill(log)
      const known = [...filled.values()].flatMap(({ start, ids }) => [start, ...ids])
      for (const [stream, { start, ids }] of filled) {
        // The log may be younger than the stream: what a client had before it cannot be told.
        for (const after of known.filter(id => id >= start)) {
          await assertRead(log, stream, after, ids.filter(id => id > after), `read from ${stream}`)
        }
      }
    }
  },
  {
    name: 'a text that is no id is a gap, whatever it is',
    async show ({ log }) {
      const { start } = await follow(log, 'acme')
      const quiet = await follow(log, 'quiet')
      const ids = await appendAll(log, ['acme'], records(3))
      const known = [start, quiet.start, ...ids]
      for (const text of [...RUBBISH, ...known.flatMap(almost)].filter(text => !known.includes(text))) {
        const what = JSON.stringify(text.slice(0, 80))
        await assertGap(log, 'acme', text, what)
        await assertGap(log, 'quiet', text, `${what}, of a stream without events`)
        await assertGap(log, null, text, `${what}, of the root's stream`)
      }
      await assertRead(log, 'acme', start, ids, 'afterwards')
    }
  },
  {
    name: 'an id of another log is a gap, whichever is older',
    async show (subject) {
      const logs = [subject.log, await subject.another()]
      const followers = await Promise.all(logs.map(async log => await follow(log, 'acme')))
      for (let n = 0; n < 20; n++) {
        await subject.advance(1000)
        await tick()
        for (const log of logs) await log.append(['acme', null], record(n))
      }
      for (const [at, log] of logs.entries()) {
        await log.drained()
        const foreign = followers[1 - at]?.ids() ?? []
        assert.equal(foreign.length, 21)
        for (const id of foreign) {
          for (const stream of ['acme', null, 'unheard-of']) await assertGap(log, stream, id, `an id of another log, read from ${stream}`)
        }
      }
    }
  },
  {
    name: 'an id that was never given is a gap if it is newer than all, and otherwise leads to no hole',
    async show ({ log }) {
      const follower = await follow(log, 'acme')
      const ids = await appendAll(log, ['acme'], records(20))
      const newest = ids.at(-1) ?? ''
      for (const text of follower.ids().flatMap(changed).filter(text => text !== follower.start && !ids.includes(text))) {
        if (text > newest) await assertGap(log, 'acme', text, `${text} is newer than ${newest}`)
        else if (await log.read('acme', text, 1) !== 'gap') await assertRead(log, 'acme', text, ids.filter(id => id > text), `after ${text}`)
      }
    }
  },
  {
    name: 'that a stream has been quiet is no gap, however much others had',
    async show ({ log }) {
      const silent = await follow(log, 'silent')
      const quiet = await follow(log, 'quiet')
      await follow(log, 'noisy')
      const ids = await appendAll(log, ['quiet'], records(3))
      for (let round = 0; round < 10; round++) {
        await appendAll(log, ['noisy', null], records(200))
        assert.equal(await assertNoHole(log, 'silent', silent.ids()), 0)
        assert.equal(await assertNoHole(log, 'quiet', quiet.ids()), 3)
        await assertRead(log, 'silent', log.head('silent'), [], 'its head')
        await assertRead(log, 'quiet', log.head('quiet'), [], 'its head')
      }
      await assertRead(log, 'quiet', quiet.start, ids, 'all that it had')
    }
  }
]
