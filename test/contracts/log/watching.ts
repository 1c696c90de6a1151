import assert from 'node:assert/strict'
import type { LogEntry, LogListener, LogPage, StreamName, Watch } from '../../../lib/log/event-log.js'
import { turn } from '../contract-test.js'
import { Appends, appendAll, assertGap, assertRead, entriesOf, follow, idsOf, isPending, type LogTest, record, records, sameList } from './subject.js'

export const watching: readonly LogTest[] = [
  {
    name: 'a watcher gets the stream\'s later events and no others',
    async show ({ log }) {
      const streams: readonly StreamName[] = [null, 'acme', 'other']
      const early = await Promise.all(streams.map(async stream => await follow(log, stream)))
      const before = await Promise.all(streams.map(async stream => await appendAll(log, [stream], records(5))))
      const late = await Promise.all(streams.map(async stream => await follow(log, stream)))
      const after = await Promise.all(streams.map(async stream => await appendAll(log, [stream], records(5))))
      for (const [at, stream] of streams.entries()) {
        sameList(idsOf(early[at]?.told ?? []), [...before[at] ?? [], ...after[at] ?? []], `told by ${stream} from the start`)
        sameList(idsOf(late[at]?.told ?? []), after[at] ?? [], `told by ${stream} later`)
      }
    }
  },
  {
    name: 'a watcher gets every event that is appended after its watch is ready',
    async show ({ log }) {
      for (let n = 0; n < 20; n++) {
        const told: LogEntry[] = []
        const watch = log.watch('acme', entry => { told.push(entry) })
        await watch.ready
        const ids = await appendAll(log, ['acme'], records(3))
        sameList(idsOf(told), ids, 'told')
        watch.close()
      }
    }
  },
  {
    name: 'a stream that is watched after its last event can be read from that on, though others have had events since',
    async show ({ log }) {
      for (const stream of ['acme', null]) {
        // A store may remember what somebody has watched for, and no other streams.
        const first = await follow(log, stream)
        first.close()
        const ids = await appendAll(log, [stream], records(3))
        await appendAll(log, ['other'], records(3))
        const { told, close } = await follow(log, stream)
        await assertRead(log, stream, ids[2] ?? '', [], 'nothing has come since')
        await assertRead(log, stream, ids[0] ?? '', ids.slice(1), 'what came in between')
        // By a reader that comes while nothing was delivered to those that watch.
        await appendAll(log, ['other'], records(3))
        await assertRead(log, stream, ids[2] ?? '', [], 'nothing has come since, once more')
        const next = await appendAll(log, [stream], records(1))
        await assertRead(log, stream, ids[2] ?? '', next, 'and then one has')
        sameList(idsOf(told), next, 'told')
        close()
      }
    }
  },
  {
    name: 'what is told can be read: the listener itself finds it',
    async show ({ log }) {
      const found: Array<readonly [LogEntry, LogPage | Promise<LogPage>]> = []
      let before = ''
      const watch = log.watch('acme', entry => {
        found.push([entry, log.read('acme', before, 1)])
        before = entry.id
      })
      await watch.ready
      before = log.head('acme')
      await appendAll(log, ['acme', null], records(50))
      assert.equal(found.length, 50)
      for (const [entry, reading] of found) {
        const [first] = entriesOf(await reading)
        assert.equal(first?.id, entry.id)
      }
    }
  },
  {
    name: 'what can be read is told already, to all who watched',
    async show ({ log }) {
      const { told, start } = await follow(log, 'acme')
      const appends = new Appends()
      const newest = (): string => told.at(-1)?.id ?? start
      for (let n = 0; n < 300; n++) {
        appends.add(log.append(['acme', null], record(n)))
        const reading = log.read('acme', newest(), 1)
        const page = entriesOf(isPending(reading) ? await reading : reading)
        for (const { id } of page) assert.ok(id <= newest(), `${id} was read and the newest that was told is ${newest()}`)
        if (n % 3 === 0) await Promise.resolve()
        if (n % 7 === 0) await turn()
      }
      await log.drained()
      sameList(idsOf(told), await appends.ids(), 'told')
    }
  },
  {
    name: 'a watch that is closed tells nothing more, and the others go on, also when it is closed twice',
    async show ({ log }) {
      const [closed, other] = [await follow(log, 'acme'), await follow(log, 'acme')]
      const ids = await appendAll(log, ['acme'], records(3))
      closed.close()
      closed.close()
      assert.ok(log.wants(['acme']), 'it is still watched')
      ids.push(...await appendAll(log, ['acme'], records(3)))
      sameList(idsOf(closed.told), ids.slice(0, 3), 'told until it was closed')
      sameList(idsOf(other.told), ids, 'told to the other')
    }
  },
  {
    name: 'a watch can be closed while an event is told, its own or another, and is told of nothing more',
    async show ({ log }) {
      let own = 0
      let others = 0
      const first = log.watch('acme', () => {
        own++
        first.close()
        last.close()
      })
      const middle = await follow(log, 'acme')
      const last = log.watch('acme', () => { others++ })
      await Promise.all([first.ready, last.ready])
      const ids = await appendAll(log, ['acme'], records(5))
      assert.equal(own, 1)
      assert.equal(others, 0)
      sameList(idsOf(middle.told), ids, 'told to the one between them')
    }
  },
  {
    name: 'each watch of a stream is told of each event, also when two have one listener',
    async show ({ log }) {
      const told: string[] = []
      const listener: LogListener = ({ id }) => { told.push(id) }
      const watches = [log.watch('acme', listener), log.watch('acme', listener), log.watch('other', listener)]
      await Promise.all(watches.map(async ({ ready }) => { await ready }))
      const [both] = await appendAll(log, ['acme'], records(1))
      sameList(told, [both ?? '', both ?? ''], 'told twice')
      watches[0]?.close()
      const [one] = await appendAll(log, ['acme'], records(1))
      const [other] = await appendAll(log, ['other'], records(1))
      sameList(told.slice(2), [one ?? '', other ?? ''], 'told to those that are left')
    }
  },
  {
    name: 'who reads all that there is while an event is told, and then watches, gets it once',
    async show ({ log }) {
      const keeper = await follow(log, 'acme')
      const got: string[] = []
      const watches: Watch[] = []
      const join = async (): Promise<void> => {
        for (let after = keeper.start; ;) {
          const reading = log.read('acme', after, 1)
          const page = entriesOf(isPending(reading) ? await reading : reading)
          const newest = page.at(-1)
          if (newest === undefined) break
          assert.ok(newest.id > after, 'what comes after an id is greater')
          got.push(...idsOf(page))
          after = newest.id
        }
        watches.push(log.watch('acme', ({ id }) => { got.push(id) }))
      }
      let joining: Promise<Array<PromiseSettledResult<void>>> | undefined
      // It may fail long before anybody waits for it.
      const watch = log.watch('acme', () => { joining ??= Promise.allSettled([join()]) })
      await watch.ready
      const ids = await appendAll(log, ['acme'], records(10))
      for (const result of await joining ?? []) if (result.status === 'rejected') throw result.reason
      ids.push(...await appendAll(log, ['acme'], records(10)))
      assert.equal(watches.length, 1)
      sameList(got, ids, 'read and told')
    }
  },
  {
    name: 'a stream that is watched wants its events, alone and among others',
    async show ({ log }) {
      const acme = await follow(log, 'acme')
      const root = await follow(log, null)
      for (const streams of [['acme'], [null], ['acme', 'unheard-of'], ['unheard-of', null], [null, 'acme']]) assert.equal(log.wants(streams), true)
      root.close()
      assert.equal(log.wants(['acme']), true)
      await appendAll(log, ['acme'], records(1))
      assert.equal(acme.told.length, 1)
    }
  },
  {
    name: 'an event that no stream wants leaves a gap before it, also for who watches from then on',
    async show ({ log }) {
      const { start } = await follow(log, 'acme')
      const [older] = await appendAll(log, ['acme'], records(1))
      if (log.wants(['unheard-of'])) {
        // Whatever it wants it remembers.
        const [id] = await appendAll(log, ['unheard-of'], records(1))
        await assertRead(log, 'unheard-of', older ?? '', [id ?? ''], 'read from a stream that nobody watches')
        return
      }
      await assertGap(log, 'unheard-of', older ?? '', 'before it')
      const late = await follow(log, 'unheard-of')
      for (const after of [start, older ?? '']) await assertGap(log, 'unheard-of', after, 'while it is watched')
      await assertRead(log, 'unheard-of', late.start, [], 'its head then')
      const ids = await appendAll(log, ['unheard-of'], records(3))
      await assertRead(log, 'unheard-of', late.start, ids, 'after its head')
      for (const after of [start, older ?? '']) await assertGap(log, 'unheard-of', after, 'ever after')
      await assertRead(log, 'acme', start, [older ?? ''], 'read from the stream beside it')
    }
  },
  {
    name: 'a stream that nobody watches any more has no hole: it remembers what comes, or has a gap there',
    async show ({ log }) {
      const follower = await follow(log, 'acme')
      const ids = await appendAll(log, ['acme'], records(3))
      follower.close()
      await assertRead(log, 'acme', follower.start, ids, 'after it was left')
      const wanted = log.wants(['acme'])
      if (wanted) ids.push(...await appendAll(log, ['acme'], records(3)))
      for (const [at, after] of [follower.start, ...ids].entries()) {
        if (wanted) await assertRead(log, 'acme', after, ids.slice(at), 'what came meanwhile')
        else await assertGap(log, 'acme', after, 'something came that is not there')
      }
      const back = await follow(log, 'acme')
      ids.push(...await appendAll(log, ['acme'], records(3)))
      await assertRead(log, 'acme', back.start, ids.slice(-3), 'when somebody is back')
      if (wanted) await assertRead(log, 'acme', follower.start, ids, 'from the first head')
    }
  },
  {
    name: 'an event that one of two streams wants leads to no hole in the other',
    async show ({ log }) {
      await follow(log, null)
      const [before] = await appendAll(log, [null], records(1))
      const ids = await appendAll(log, [null, 'unheard-of'], records(2))
      for (const after of [before ?? '', ids[0] ?? '']) {
        const page = await log.read('unheard-of', after, 1024)
        if (page !== 'gap') await assertRead(log, 'unheard-of', after, ids.filter(id => id > after), 'what came')
      }
      const late = await follow(log, 'unheard-of')
      await assertRead(log, 'unheard-of', late.start, [], 'its head')
      ids.push(...await appendAll(log, [null, 'unheard-of'], records(1)))
      await assertRead(log, 'unheard-of', late.start, ids.slice(-1), 'what came since')
    }
  }
]
