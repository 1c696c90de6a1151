import fc from 'fast-check'
import t from 'tap'
import { encodeRecord } from '../../lib/log/codec.js'
import { errors } from '../../lib/errors.js'
import type { LogEntry, LogRecord } from '../../lib/log/event-log.js'
import { epochOf, idFrom, isId, newEpoch } from '../../lib/log/ids.js'
import { isPassing, isRefusal, unavailable } from '../../lib/stores/redis/faults.js'
import type { RedisConnection } from '../../lib/stores/redis/connection.js'
import type { Reader } from '../../lib/stores/redis/reader.js'
import { StreamSubscription } from '../../lib/stores/redis/stream-subscription.js'
import { StreamSubscriptions } from '../../lib/stores/redis/stream-subscriptions.js'
import type { Subscriber } from '../../lib/stores/redis/subscriber.js'
import { decodeMessage, type Frame } from '../../lib/stores/redis/frame.js'
import { Keys } from '../../lib/stores/redis/keys.js'
import { type Appended, type AppendedBatch, Producer } from '../../lib/stores/redis/producer.js'
import { idAt, positionOf } from '../../lib/stores/redis/position.js'
import { scripts } from '../../lib/stores/redis/scripts.js'
import { Writes } from '../../lib/stores/redis/writes.js'
import { eventually, latch } from '../helpers/latch.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { numberOf, quiet, recordOf, sameList } from './redis/nodes.js'

const EPOCH = 'abc123'
const START = Date.UTC(2026, 0, 1)
const UNAVAILABLE = 'FST_ERR_WS_EVENTS_STORE_UNAVAILABLE'
const keys = new Keys('test', 0)

/** The id of an event that is known by a number. */
const idOf = (n: number, epoch = EPOCH): string => idFrom(START + n, 0, epoch)
const entryOf = (n: number): LogEntry => ({ id: idOf(n), ...recordOf(n) })

t.test('positions', async t => {
  t.test('an id is a position and an epoch, and comes of them again', async () => {
    const time = fc.nat({ max: 36 ** 9 - 1 })
    const sequence = fc.nat({ max: 36 ** 4 - 1 })
    fc.assert(fc.property(time, sequence, (time, sequence) => {
      const epoch = newEpoch()
      const id = idFrom(time, sequence, epoch)
      return positionOf(id) === `${time}-${sequence}` && idAt(positionOf(id), epoch) === id && isId(id) && epochOf(id) === epoch
    }))
  })

  t.test('ids of a batch follow each other, and sort as their positions do', async () => {
    fc.assert(fc.property(fc.nat({ max: 36 ** 9 - 1 }), fc.nat({ max: 1_600_000 }), fc.nat({ max: 510 }), (time, sequence, offset) =>
      idAt(`${time}-${sequence}`, EPOCH, offset) === idFrom(time, sequence + offset, EPOCH) && idAt(`${time}-${sequence}`, EPOCH, offset) < idAt(`${time}-${sequence}`, EPOCH, offset + 1)))
  })

  t.test('streams have keys of their own, in one slot of a Cluster, and in each database', async t => {
    const names = [null, 'root', 'null', 'nodes', 'instance:root', 'a', 'A', '{b}', 'x:log', '']
    const all = (some: Keys): string[] => [...names.flatMap(name => Object.values(some.stream(name)) as string[]), some.log, some.configs, some.nodes.entries, some.nodes.state, some.producer('x'), some.echo('x')]
    const [first, second] = [all(keys), all(new Keys('test', 2))]
    t.equal(new Set([...first, ...second]).size, 2 * (2 * names.length + 6))
    for (const some of [first, second]) t.equal(new Set(some.map(key => /\{([^}]*)\}/.exec(key)?.[1])).size, 1)
  })
})

/** A frame as the script publishes it. */
function published (records: ReadonlyArray<readonly [index: number, record: LogRecord]>, { before = '', first = '', length = 0, bytes = 0 } = {}): Buffer {
  const parts = records.flatMap(([index, record]) => {
    const bytes = encodeRecord(record)
    const head = Buffer.alloc(6)
    head.writeUInt16BE(index, 0)
    head.writeUInt32BE(bytes.length, 2)
    return [head, bytes]
  })
  return Buffer.concat([Buffer.from(`e ${EPOCH} 7.abc ${before} ${first} ${length} ${bytes}\n`), ...parts])
}

t.test('frames', async t => {
  t.test('what is published is understood, whatever is in it', async t => {
    const text = fc.string({ unit: 'binary', maxLength: 20 }).map(each => each.toWellFormed())
    const record = fc.record({
      instance: text,
      event: text,
      rest: fc.uint8Array({ maxLength: 200 }).map(each => Buffer.from(each)),
      attachments: fc.array(fc.uint8Array({ maxLength: 50 }).map(each => Buffer.from(each)), { maxLength: 3 })
    })
    const events = fc.array(record, { minLength: 1, maxLength: 8 })
    fc.assert(fc.property(events, fc.option(fc.nat({ max: START })), fc.nat({ max: 1_600_000 }), fc.array(fc.nat({ max: 500 }), { minLength: 8, maxLength: 8 }), (records, before, sequence, steps) => {
      let index = 0
      const indexed = records.map((each, at) => {
        index += (at === 0 ? 0 : 1) + (steps[at] ?? 0) % 50
        return [index, each] as const
      })
      const frame = decodeMessage(published(indexed, { before: before === null ? '' : `${before}-3`, first: `${START}-${sequence}`, length: 12, bytes: 3456 }))
      if (!('entries' in frame)) throw new Error('it is a frame')
      t.strictSame({ ...frame, entries: frame.entries.map(({ id, instance, event, rest, attachments }) => ({ id, instance, event, rest: Buffer.from(rest), attachments: attachments.map(each => Buffer.from(each)) })) }, {
        epoch: EPOCH,
        incarnation: '7.abc',
        before: before === null ? '' : idFrom(before, 3, EPOCH),
        length: 12,
        bytes: 3456,
        entries: indexed.map(([index, each]) => ({ id: idFrom(START, sequence + index, EPOCH), ...each }))
      })
    }), { numRuns: 50 })
  })

  t.test('the position of what was removed is understood', async t => {
    t.strictSame(decodeMessage(Buffer.from('r 1767225600000-12')), { removed: '1767225600000-12' })
  })
})

/** Events that were published together, after one that was before. */
const frameOf = (numbers: readonly number[], before?: number): Frame =>
  ({ epoch: EPOCH, incarnation: '1', before: before === undefined ? '' : idOf(before), length: 0, bytes: 0, entries: numbers.map(entryOf) })

interface Heard {
  readonly stream: StreamSubscription
  readonly numbers: number[]
  readonly gaps: string[]
}

function subscribedFrom (start: number, watermark = { id: '' }): Heard {
  const stream = new StreamSubscription(keys.stream('acme'), { maxEvents: 100, maxBytes: 1_000_000 }, watermark)
  const numbers: number[] = []
  const gaps: string[] = []
  stream.listen(entry => { numbers.push(numberOf(entry)) }, head => { gaps.push(head) })
  stream.goLive(idOf(start))
  return { stream, numbers, gaps }
}

const SMALL = 100
const HUGE = 2 * 1024 * 1024

t.test('a stream that is subscribed to', async t => {
  t.test('tells what is published, each event once', async t => {
    const { stream, numbers } = subscribedFrom(0)
    t.equal(stream.receive(frameOf([1, 2]), SMALL), false)
    t.equal(stream.receive(frameOf([2, 3], 1), SMALL), false)
    t.equal(stream.receive(frameOf([1], 0), SMALL), false)
    t.strictSame(numbers, [1, 2, 3])
    t.equal(stream.deliveredThrough, idOf(3))
  })

  t.test('holds back what comes after something that it has missed, until that is read', async t => {
    const { stream, numbers } = subscribedFrom(0)
    stream.receive(frameOf([1], 0), SMALL)
    t.equal(stream.receive(frameOf([4, 5], 3), SMALL), true)
    t.equal(stream.receive(frameOf([6], 5), SMALL), true)
    t.equal(stream.state, 'behind')
    t.strictSame(numbers, [1])
    stream.deliver([entryOf(2), entryOf(3), entryOf(4)])
    t.strictSame(numbers, [1, 2, 3, 4])
    t.equal(stream.caughtUp(EPOCH), true)
    t.strictSame(numbers, [1, 2, 3, 4, 5, 6])
    t.equal(stream.receive(frameOf([7], 6), SMALL), false)
    t.strictSame(numbers, [1, 2, 3, 4, 5, 6, 7])
  })

  t.test('is not caught up before it has read what was too much to be held back', async t => {
    const { stream, numbers } = subscribedFrom(0)
    stream.fallBehind()
    stream.receive(frameOf([1], 0), HUGE)
    stream.receive(frameOf([2], 1), SMALL)
    t.equal(stream.caughtUp(EPOCH), false)
    stream.deliver([entryOf(1)])
    t.equal(stream.caughtUp(EPOCH), true)
    t.strictSame(numbers, [1, 2])
  })

  t.test('tells nothing before it has started, and then what was published since', async t => {
    for (const size of [SMALL, HUGE]) {
      const stream = new StreamSubscription(keys.stream('acme'), { maxEvents: 100, maxBytes: 1_000_000 }, { id: '' })
      const numbers: number[] = []
      stream.listen(entry => { numbers.push(numberOf(entry)) }, undefined)
      for (const n of [1, 2, 3]) t.equal(stream.receive(frameOf([n], n - 1), size), false)
      stream.fallBehind()
      t.equal(stream.state, 'starting')
      t.strictSame(numbers, [])
      stream.goLive(idOf(1))
      await stream.ready
      if (size === HUGE) {
        t.equal(stream.state, 'behind', 'it was too much to be held back')
        stream.deliver([entryOf(2), entryOf(3)])
        t.equal(stream.caughtUp(EPOCH), true)
      }
      t.strictSame(numbers, [2, 3])
      stream.receive(frameOf([4], 3), SMALL)
      t.strictSame(numbers, [2, 3, 4])
    }
  })

  t.test('tells nothing that was held back from another epoch', async t => {
    const { stream, numbers, gaps } = subscribedFrom(0)
    stream.fallBehind()
    stream.receive({ ...frameOf([8], 7), epoch: 'before' }, SMALL)
    stream.receive(frameOf([9], 8), SMALL)
    stream.skipTo(idOf(5))
    t.equal(stream.caughtUp(EPOCH), true)
    t.strictSame(numbers, [9])
    t.equal(gaps.length, 1)
  })

  t.test('goes on after a gap with what came after it', async t => {
    const { stream, numbers, gaps } = subscribedFrom(0)
    stream.receive(frameOf([1], 0), SMALL)
    stream.fallBehind()
    stream.receive(frameOf([5, 6], 4), SMALL)
    stream.receive(frameOf([7, 8], 6), SMALL)
    stream.skipTo(idOf(7))
    t.strictSame(gaps, [idOf(7)])
    t.equal(stream.deliveredThrough, idOf(7))
    t.equal(stream.after(idOf(1), 1000), undefined)
    t.equal(stream.caughtUp(EPOCH), true)
    t.strictSame(numbers, [1, 8])
    sameList(stream.after(idOf(7), 1000)?.map(numberOf) ?? [], [8], 'recent')
  })

  t.test('answers from memory only what it knows to be whole', async t => {
    const watermark = { id: '' }
    const { stream } = subscribedFrom(10, watermark)
    t.equal(stream.after(idOf(9), 1000), undefined, 'from before it was subscribed to')
    t.strictSame(stream.after(idOf(10), 1000), [])
    t.equal(stream.after(idOf(11), 1000), undefined, 'from after all that was told')
    stream.receive(frameOf([11, 12], 10), SMALL)
    sameList(stream.after(idOf(10), 1000)?.map(numberOf) ?? [], [11, 12], 'recent')
    sameList(stream.after(idOf(11), 1000)?.map(numberOf) ?? [], [12], 'recent')
    watermark.id = idOf(20)
    t.strictSame(stream.after(idOf(15), 1000), [], 'nothing came until then')
    stream.fallBehind()
    t.equal(stream.after(idOf(15), 1000), undefined, 'something may have come')
    stream.dropThrough(idOf(11))
    t.equal(stream.after(idOf(10), 1000), undefined, 'what was removed')
    sameList(stream.after(idOf(11), 1000)?.map(numberOf) ?? [], [12], 'what was not')
    stream.watermarkMoved(idOf(60_000))
    t.equal(stream.after(idOf(11), 1000), undefined, 'what is not recent')
    t.strictSame(stream.after(idOf(12), 1000), [])
  })

  t.test('leaves it to Redis what is left of another incarnation of the log, also after it was told the last of that', async t => {
    const { stream, numbers } = subscribedFrom(0, { id: '' })
    stream.receive(frameOf([1], 0), SMALL)
    stream.fallBehind()
    // Event 3 was lost with the other server; of this one's incarnation 50 is the start.
    stream.resetRecent(idOf(50))
    stream.deliver([entryOf(2)])
    t.equal(stream.caughtUp(EPOCH), true)
    stream.confirm(idOf(60))
    t.strictSame(numbers, [1, 2])
    for (const lost of [3, 40]) t.equal(stream.after(idOf(lost), 1000), undefined)
    stream.watermarkMoved(idOf(60_000))
    for (const lost of [3, 40]) t.equal(stream.after(idOf(lost), 1000), undefined, 'also when nothing is recent')
    t.strictSame(stream.after(idOf(55), 1000), [])
    stream.receive(frameOf([61], 60), SMALL)
    for (const lost of [3, 40]) t.equal(stream.after(idOf(lost), 1000), undefined)
    sameList(stream.after(idOf(55), 1000)?.map(numberOf) ?? [], [61], 'recent')
  })

  t.test('says nothing from memory of an event that was told before its incarnation of the log was attached to', async t => {
    const { stream, numbers } = subscribedFrom(0, { id: '' })
    // The incarnation began at 50, and 51 has overtaken the answer that says so.
    stream.receive(frameOf([51], 0), SMALL)
    stream.resetRecent(idOf(50))
    t.strictSame(numbers, [51])
    t.equal(stream.after(idOf(50), 1000), undefined)
    t.strictSame(stream.after(idOf(51), 1000), [])
  })

  t.test('knows whether what is held back goes on from what was told', async t => {
    const { stream } = subscribedFrom(0)
    stream.fallBehind()
    t.equal(stream.isBufferNext(EPOCH), false, 'nothing is held back')
    stream.receive(frameOf([3, 4], 2), SMALL)
    t.equal(stream.isBufferNext(EPOCH), false)
    stream.deliver([entryOf(1), entryOf(2)])
    t.equal(stream.isBufferNext(EPOCH), true)
    t.equal(stream.isBufferNext('other1'), false)
    stream.receive(frameOf([6], 5), SMALL)
    t.equal(stream.isBufferNext(EPOCH), false, 'there is a hole further on')
    stream.deliver([entryOf(3), entryOf(4), entryOf(5)])
    t.equal(stream.isBufferNext(EPOCH), true)
    stream.receive(frameOf([7]), SMALL)
    t.equal(stream.isBufferNext(EPOCH), false, 'it does not say what was before')
  })

  t.test('lets who has read an event go on when Redis says that there is none, or it is caught up', async t => {
    const watermark = { id: '' }
    const { stream } = subscribedFrom(0, watermark)
    const confirmed = stream.whenDelivered(idOf(1))
    stream.confirm(idOf(1))
    await confirmed
    stream.fallBehind()
    watermark.id = idOf(5)
    const waiting = [stream.whenDelivered(idOf(5)), stream.whenDelivered(idOf(6))]
    t.equal(stream.caughtUp(EPOCH), true)
    await waiting[0]
    watermark.id = idOf(6)
    stream.watermarkMoved(idOf(6))
    await waiting[1]
  })

  t.test('lets who has read an event wait until it is told, and no longer than that', async t => {
    const { stream } = subscribedFrom(0)
    await stream.whenDelivered(idOf(0))
    const order: string[] = []
    const waits = [stream.whenDelivered(idOf(2)).then(() => { order.push('two') }), stream.whenDelivered(idOf(3)).then(() => { order.push('three') })]
    stream.receive(frameOf([1], 0), SMALL)
    await Promise.resolve()
    t.strictSame(order, [])
    stream.receive(frameOf([2], 1), SMALL)
    await waits[0]
    t.strictSame(order, ['two'])
    const last = t.rejects(waits[1] ?? Promise.resolve(), { code: UNAVAILABLE })
    stream.close()
    await last
  })

  t.test('tells of every event once and in order, whatever is lost on the way, or of a gap', async () => {
    const step = fc.record({ publish: fc.nat({ max: 3 }), lose: fc.boolean(), cut: fc.boolean(), read: fc.nat({ max: 4 }), large: fc.boolean() })
    fc.assert(fc.property(fc.array(step, { maxLength: 30 }), steps => {
      const { stream, numbers, gaps } = subscribedFrom(0)
      let newest = 0
      /** Reads some of what was missed, as following does. */
      const read = (count: number): void => {
        const told = Number(positionOf(stream.confirmed).split('-')[0]) - START
        stream.deliver(Array.from({ length: Math.min(count, newest - told) }, (empty, at) => entryOf(told + 1 + at)))
        if (Number(positionOf(stream.confirmed).split('-')[0]) - START === newest) stream.caughtUp(EPOCH)
      }
      for (const { publish, lose, cut, read: count, large } of steps) {
        if (cut) stream.fallBehind()
        if (publish > 0) {
          const frame = frameOf(Array.from({ length: publish }, (empty, at) => newest + 1 + at), newest)
          newest += publish
          if (!lose) stream.receive(frame, large ? HUGE : SMALL)
        }
        if (stream.state === 'behind') read(count)
      }
      stream.fallBehind()
      while (stream.state === 'behind') read(100)
      sameList(numbers, Array.from({ length: newest }, (empty, at) => at + 1), 'told')
      return gaps.length === 0
    }))
  })
})

/** Subscriptions whose Redis is played by the test. */
function subscriptionsWith (reader: Pick<Reader, 'read' | 'behind'>) {
  const incarnation = { epoch: EPOCH, name: '7.abc', last: idOf(0) }
  const connection = { incarnation, isUp: true, observe () {}, isCurrent: () => true, reattach () {} } as unknown as RedisConnection
  const subscriber = { subscribe: async () => {}, unsubscribe: async () => {} } as unknown as Subscriber
  const subscriptions = new StreamSubscriptions({ connection, subscriber, reader: reader as Reader, bounds: { maxEvents: 100, maxBytes: 1_000_000 }, logger: quiet })
  subscriptions.connected()
  subscriptions.logAttached(incarnation)
  return subscriptions
}

t.test('streams that were missed', async t => {
  const [busyKeys, quietKeys, newKeys] = [keys.stream('busy'), keys.stream('quiet'), keys.stream('new')]

  t.test('a stream in which something is new after every read is live soon, and keeps no other one waiting', async t => {
    let newest = 0
    let reads = 0
    const numbers: number[] = []
    const publish = (): void => {
      newest++
      subscriptions.receive(busyKeys.entries, published([[0, recordOf(newest)]], { before: `${START + newest - 1}-0`, first: `${START + newest}-0` }))
    }
    const subscriptions: StreamSubscriptions = subscriptionsWith({
      behind: async streams => ({ last: idOf(newest), behind: streams.map(({ keys }) => keys === busyKeys && newest > 0) }),
      read: async () => {
        reads++
        const entries = Array.from({ length: newest - numbers.length }, (empty, at) => entryOf(numbers.length + 1 + at))
        const found = { entries, newest: idOf(newest), last: idOf(newest) }
        publish()
        return found
      }
    })
    t.teardown(() => { subscriptions.close() })
    const watches = [subscriptions.subscribe(busyKeys, entry => { numbers.push(numberOf(entry)) }), subscriptions.subscribe(quietKeys, () => {})]
    await Promise.all(watches.map(async ({ ready }) => { await ready }))
    subscriptions.lost()
    newest = 3
    subscriptions.connected()
    await eventually(() => reads > 50 || [busyKeys, quietKeys].every(({ entries }) => subscriptions.find(entries)?.state === 'live'))
    t.ok(reads < 5, `${reads} reads`)
    publish()
    t.strictSame(numbers, Array.from({ length: newest }, (empty, at) => at + 1))
  })

  t.test('who comes meanwhile does not wait until all that a stream has missed is read', async t => {
    let reads = 0
    const PAGES = 100
    const subscriptions = subscriptionsWith({
      behind: async streams => ({ last: idOf(PAGES), behind: streams.map(({ keys }) => keys === busyKeys) }),
      read: async () => {
        if (++reads === 3) subscriptions.subscribe(newKeys, () => {}).ready?.then(() => { readsWhenReady = reads }, () => {})
        return { entries: reads > PAGES ? [] : [entryOf(reads)], newest: idOf(PAGES), last: idOf(PAGES) }
      }
    })
    let readsWhenReady = 0
    t.teardown(() => { subscriptions.close() })
    const watch = subscriptions.subscribe(busyKeys, () => {})
    await watch.ready
    subscriptions.lost()
    subscriptions.find(busyKeys.entries)?.skipTo(idOf(0))
    subscriptions.connected()
    await eventually(() => subscriptions.find(busyKeys.entries)?.state === 'live' && readsWhenReady > 0)
    t.equal(reads, PAGES + 1)
    t.ok(readsWhenReady < 10, `after ${readsWhenReady} reads`)
  })
})

type Answer = Appended | null | Error

/** A producer whose Redis answers as it is told: with an id, by having to be attached, or with an error. */
function producerWith (answers: Answer[], limits = { pendingEvents: 0, pendingBytes: 0 }) {
  const batches: AppendedBatch[] = []
  const state = { isUp: true, attaches: 0 }
  const gate = latch()
  const producer = new Producer({
    limits,
    append: async batch => {
      batches.push(batch)
      await gate.opened
      const answer = answers.length > 0 ? answers.shift() : { epoch: EPOCH, first: `${START}-${batch.number * 1000}`, requests: [] }
      if (answer instanceof Error) throw answer
      return answer ?? null
    },
    attached: async () => { state.attaches++ },
    isUp: () => state.isUp,
    writes: new Writes(quiet),
    appended: () => {}
  })
  return { producer, batches, state, gate }
}

const numbersOf = ({ units }: AppendedBatch): number[] => units.flatMap(({ events }) => events.map(({ record }) => numberOf(record)))
const answered = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' })
const pushMany = async (producer: Producer, count: number, from = 0): Promise<Array<PromiseSettledResult<string>>> =>
  await Promise.allSettled(Array.from({ length: count }, async (empty, n) => await producer.push([keys.stream('acme')], recordOf(from + n))))

t.test('what is appended', async t => {
  t.test('goes in batches, one after the other, in order', async t => {
    const { producer, batches, gate } = producerWith([])
    gate.open()
    const settled = await pushMany(producer, 2000)
    sameList(batches.flatMap(numbersOf), Array.from({ length: 2000 }, (empty, n) => n), 'order')
    t.strictSame(batches.map(({ number }) => number), batches.map((batch, at) => at + 1))
    t.ok(batches.length >= 4 && batches.length <= 6, `${batches.length} batches`)
    t.equal(producer.count, 0)
    t.equal(producer.bytes, 0)
    const ids = settled.map(result => result.status === 'fulfilled' ? result.value : '')
    sameList(ids, ids.toSorted(), 'ids')
    t.equal(ids[3], idFrom(START, 1003, EPOCH))
  })

  t.test('is sent again with the same number until it is answered, and none overtakes it', async t => {
    const { producer, batches, state, gate } = producerWith([new Error('connection lost'), null, answered('LOADING Redis is loading'), answered('READONLY You can\'t write'), new Error('lost')])
    gate.open()
    const [first, second] = await Promise.all([pushMany(producer, 3), Promise.resolve().then(async () => await pushMany(producer, 3, 3))])
    t.ok([...first, ...second].every(({ status }) => status === 'fulfilled'))
    t.strictSame(batches.map(({ number }) => number), [1, 1, 1, 1, 1, 1, 2].slice(0, batches.length))
    for (const batch of batches.slice(0, 6)) t.strictSame(numbersOf(batch), numbersOf(batches[0] as AppendedBatch))
    t.equal(state.attaches, 5)
  })

  t.test('fails with its batch alone when Redis refuses it for good', async t => {
    const { producer, batches, gate } = producerWith([unavailable(answered('OOM command not allowed'))])
    const first = pushMany(producer, 2)
    await Promise.resolve()
    await Promise.resolve()
    const second = pushMany(producer, 2, 2)
    gate.open()
    for (const result of await first) t.match(result, { status: 'rejected', reason: { code: UNAVAILABLE, message: /OOM command not allowed/ } })
    for (const result of await second) t.equal(result.status, 'fulfilled')
    t.strictSame(batches.map(numbersOf), [[0, 1], [2, 3]])
    t.strictSame(batches.map(({ number }) => number), [1, 2])
    t.equal(producer.count, 0)
    t.equal(producer.bytes, 0)
  })

  t.test('is drained when what was there before is appended or has failed, and not later', async t => {
    const { producer, gate } = producerWith([unavailable(answered('OOM'))])
    await producer.drained()
    const pushed = pushMany(producer, 2)
    const drained = producer.drained()
    gate.open()
    await drained
    await pushed
  })

  t.test('is refused past a limit only where Redis does not keep up', async t => {
    const { producer, state, gate } = producerWith([], { pendingEvents: 10, pendingBytes: 0 })
    const burst = pushMany(producer, 50)
    t.equal(producer.count, 50)
    state.isUp = false
    const [over] = await pushMany(producer, 1)
    t.match(over, { status: 'rejected', reason: { code: 'FST_ERR_WS_EVENTS_PENDING_FULL' } })
    gate.open()
    t.ok((await burst).every(({ status }) => status === 'fulfilled'))
  })

  t.test('is rejected when it still waits at the end, and afterwards', async t => {
    const { producer, gate } = producerWith([new Error('lost')])
    const waiting = pushMany(producer, 600)
    await Promise.resolve()
    await Promise.resolve()
    producer.close()
    gate.open()
    for (const result of await waiting) if (result.status !== 'rejected') t.fail('nothing was appended')
    t.match(await pushMany(producer, 1), [{ status: 'rejected', reason: { code: UNAVAILABLE } }])
    t.equal(producer.count, 0)
    t.equal(producer.bytes, 0)
    await producer.drained()
  })
})

t.test('what Redis says passes, or does not', async t => {
  for (const message of ['LOADING Redis is loading the dataset in memory', 'READONLY You can\'t write against a read only replica.', 'NOSCRIPT No matching script', 'CLUSTERDOWN Hash slot not served', 'MASTERDOWN Link with MASTER is down', 'TRYAGAIN Multiple keys', 'BUSY Redis is busy', 'NOREPLICAS Not enough good replicas to write.', 'ERR Error running script (call to f_0a1b): @user_script:71: @user_script: 71: -READONLY You can\'t write against a read only replica. ']) {
    t.equal(isPassing(answered(message)), true, message)
    t.equal(isRefusal(answered(message)), false, message)
  }
  for (const message of ['OOM command not allowed', 'WRONGTYPE Operation against a key', 'MISCONF Redis is configured to save RDB snapshots', 'ERR Error running script (call to f_0a1b): @user_script:71: -OOM command not allowed']) {
    t.equal(isPassing(answered(message)), false, message)
    t.equal(isRefusal(answered(message)), false, message)
    t.equal(isPassing(unavailable(answered(message))), false, `${message}, as it is told`)
  }
  for (const message of ['NOAUTH Authentication required.', 'WRONGPASS invalid username-password pair', 'NOPERM this user has no permissions', 'ERR invalid password', 'ERR DB index is out of range', 'ERR AUTH <password> called without any password configured']) {
    t.equal(isRefusal(answered(message)), true, message)
    t.equal(isPassing(answered(message)), false, message)
    t.equal(isRefusal(unavailable(answered(message))), true, `${message}, as it is told`)
  }
  t.equal(isPassing(new Error('Connection is closed.')), true)
  t.equal(isPassing(new errors.STORE_UNAVAILABLE('it is closed')), false)
})

interface Attached { readonly epoch: string, readonly incarnation: string, readonly last: string, readonly birth: string }

t.test('attaching to a log', { skip: withoutRedis }, async t => {
  const redis = (await startRedis(t)).connect()
  const server = String(/run_id:(\w+)/.exec(await redis.info('server'))?.[1])
  let count = 0

  /** A log of its own, and how a node attaches it that has seen this much. */
  function newLog () {
    const key = `log-${count++}`
    const attach = async (seen: Partial<Attached> = {}): Promise<Attached> => {
      const [, epoch = '', incarnation = '', last = '', birth = ''] = await redis.eval(scripts.attach.lua, 1, key, newEpoch(), seen.epoch ?? '', seen.incarnation ?? '', seen.last ?? '', '', '') as string[]
      return { epoch, incarnation, last, birth }
    }
    const at = (position: string): bigint => BigInt(position.split('-')[0] ?? '') * 10_000_000n + BigInt(position.split('-')[1] ?? '')
    return { key, attach, isAfter: (a: string, b: string) => at(a) > at(b) }
  }
  const afterIt = (position: string, ms = 5): string => `${Number(position.split('-')[0]) + ms}-0`

  t.test('makes one that is not there, and changes nothing for those who come later', async t => {
    const { attach, key } = newLog()
    const first = await attach()
    t.equal(first.last, first.birth)
    t.strictSame(await attach(), first)
    t.strictSame(await attach(first), first)
    t.strictSame(await attach({ ...first, last: '5-0' }), first)
    t.equal(await redis.hget(key, 'server'), server)
  })

  t.test('goes on after a restart that has lost nothing, in another incarnation of the same epoch', async t => {
    const { attach, key, isAfter } = newLog()
    const first = await attach()
    await redis.hset(key, 'server', 'another')
    const second = await attach(first)
    t.equal(second.epoch, first.epoch)
    t.equal(second.birth, first.birth)
    t.not(second.incarnation, first.incarnation)
    t.ok(isAfter(second.last, first.last))
    t.strictSame(await attach(first), second, 'who has not seen the restart may still come')
    t.strictSame(await attach(second), second)
  })

  t.test('begins a new epoch for who has seen more than is there', async t => {
    const { attach, key, isAfter } = newLog()
    const first = await attach()
    const seen = { ...first, last: afterIt(first.last, 60_000) }
    const second = await attach(seen)
    t.not(second.epoch, first.epoch)
    t.ok(isAfter(second.last, seen.last), 'ids go on growing')
    t.equal(second.birth, second.last)
    t.strictSame(await attach(first), second, 'the others follow')

    // Also when somebody else has come first after a restart, who has not seen it.
    await redis.hset(key, 'server', 'another')
    const third = await attach(second)
    const fourth = await attach({ ...second, last: afterIt(second.last, 1) })
    t.not(fourth.epoch, third.epoch)
  })

  t.test('keeps what has survived each of many restarts apart, and forgets the oldest', async t => {
    const { attach, key, isAfter } = newLog()
    const incarnations = [await attach()]
    for (let time = 0; time < 300; time++) {
      await redis.hset(key, 'server', `another-${time}`)
      incarnations.push(await attach())
    }
    const newest = incarnations.at(-1) as Attached
    t.equal(newest.epoch, incarnations[0]?.epoch)
    t.equal(new Set(incarnations.map(({ incarnation }) => incarnation)).size, 301)
    t.ok(String(await redis.hget(key, 'breaks')).length <= 4096 + 100)
    t.ok(isAfter(newest.birth, incarnations[0]?.birth ?? ''), 'what is older than the oldest that is known is a gap')
    t.strictSame(await attach(incarnations[298]), newest, 'who has seen a incarnation that is known goes on')
    const after = await attach(incarnations[0])
    t.not(after.epoch, newest.epoch, 'who has seen one that is not cannot tell')
  })

  t.test('tells two incarnations apart that come of the same copy', async t => {
    const { attach, key } = newLog()
    await attach()
    await redis.hset(key, 'server', 'another')
    const copy = await redis.hgetall(key)
    const first = await attach()
    const seen = { ...first, incarnation: `${first.incarnation}x`, last: afterIt(first.last) }
    await redis.del(key)
    await redis.hset(key, { ...copy, server: 'a third' })
    t.not((await attach(seen)).epoch, first.epoch)
  })

  t.test('reads nothing from between what has survived and the start of the new incarnation', async t => {
    const { attach, key, isAfter } = newLog()
    const first = await attach()
    await redis.hset(key, 'server', 'another')
    const second = await attach(first)
    const read = async (after: string): Promise<unknown> => (await redis.eval(scripts.read.lua, 3, key, 'entries', 'state', first.epoch, after, '1000', '1000000') as unknown[])[4]
    t.strictSame(await read(first.last), [])
    t.equal(await read(afterIt(first.last, 1)), 'gap')
    t.strictSame(await read(second.last), [])
    t.equal(await read(afterIt(second.last, 1)), 'gap', 'newer than all')
    t.equal(await read('5-0'), 'gap', 'older than the log')
    t.ok(isAfter(second.last, afterIt(first.last, 1)))
  })

  t.test('a batch is appended once, however often it is sent, and an older one not at all', async t => {
    const { attach, key } = newLog()
    const { epoch, incarnation } = await attach()
    const record = encodeRecord(recordOf(1))
    const head = Buffer.alloc(10)
    head.writeUInt16BE(1, 0)
    head.writeUInt32BE(record.length, 4)
    head.writeUInt16BE(1, 8)
    const append = async (number: number, inIncarnation = incarnation): Promise<unknown> =>
      await redis.eval(scripts.append.lua, 4, key, `${key}:producer`, `${key}:entries`, `${key}:state`, epoch, inIncarnation, number, 100, 1e6, 1e6, 1e7, Buffer.concat([head, record]))
    const first = await append(1)
    t.strictSame(await append(1), first)
    t.strictSame(await append(1), first)
    const second = await append(2)
    t.not(second, first)
    t.equal(await redis.xlen(`${key}:entries`), 2)
    await t.rejects(append(1), /STALE/)
    t.equal(await append(3, 'another'), null)
    t.equal(await redis.xlen(`${key}:entries`), 2)
  })
})
