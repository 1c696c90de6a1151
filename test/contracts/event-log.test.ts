import { AssertionError } from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { sizeOf, type StreamName, type Watch } from '../../lib/log/event-log.js'
import { Ids, timeOf } from '../../lib/log/ids.js'
import { eventLogSuite } from './index.js'
import { type Breaks, newDisk, reference } from './reference-log.js'
import { sampleOf } from '../helpers/sample.js'

for (const durable of [false, true]) {
  const kind = durable ? 'that is durable' : 'of this process'
  for (const { name, run } of eventLogSuite(reference({ durable }))) t.test(`a log ${kind} keeps the contract: ${name}`, run)
}

/** Each promise of the contract, and logs that break it: with one fault each, as someone might make it. */
const FAULTS: Readonly<Record<string, Readonly<Record<string, Breaks>>>> = {
  'an event has one id: for its caller, for who watches and for who reads, in all of its streams': {
    'gives another id in each stream': {
      log (log) {
        log.store = (entry, streams) => {
          for (const stream of streams) {
            log.disk.newest = log.disk.ids.next()
            if (log.isWanted(stream)) log.push(log.streamOf(stream), { ...entry, id: log.disk.newest })
          }
        }
      }
    },
    'tells the caller another id': {
      durable: true,
      log (log) {
        const { append } = log
        log.append = async (streams, record) => {
          const before = log.disk.newest
          await append(streams, record)
          return before
        }
      }
    }
  },
  'ids are greater one after the other, and of thousands of events none is lost': {
    'loses one event in a thousand, which it has told': {
      log (log) {
        const { push } = log
        let count = 0
        log.push = (stream, entry) => { if (++count % 1000 !== 0) push(stream, entry) }
      }
    },
    'does not tell of one event in a thousand': {
      log (log) {
        const { tell } = log
        let count = 0
        log.tell = (entry, streams) => { if (++count % 1000 !== 0) tell(entry, streams) }
      }
    },
    'tells of one event in a thousand twice': {
      durable: true,
      log (log) {
        const { tell } = log
        let count = 0
        log.tell = (entry, streams) => {
          tell(entry, streams)
          if (++count % 1000 === 0) tell(entry, streams)
        }
      }
    },
    'gives ids that do not sort within a millisecond': {
      log (log) {
        const next = log.disk.ids.next.bind(log.disk.ids)
        log.disk.ids.next = () => {
          const id = next()
          return id.slice(0, 9) + Array.from(id.slice(9, 13)).toReversed().join('') + id.slice(13)
        }
      }
    }
  },
  'in each stream the order is that of the calls, to whichever streams they go, awaited or not': {
    'commits what comes in one turn in any order': {
      durable: true,
      log (log) { log.next = () => log.jobs.length % 7 === 3 ? log.jobs.pop() : log.jobs.shift() }
    },
    'commits what is large later': {
      durable: true,
      log (log) {
        const { commit } = log
        log.commit = (entry, streams) => {
          if (sizeOf(entry) < 50_000) commit(entry, streams)
          else setImmediate(() => { commit(entry, streams) })
        }
      }
    }
  },
  'an event that is appended while another is told comes after it, for everybody': {
    'tells of what is appended within a listener at once': {
      log (log) {
        log.append = (streams, record) => {
          const entry = log.entryOf(record, log.disk.ids.next())
          log.commit(entry, streams)
          return entry.id
        }
      }
    }
  },
  'an event comes back as it was appended, told or read': {
    'keeps text in one byte a character': {
      log (log) {
        const { entryOf } = log
        log.entryOf = (record, id) => entryOf({ ...record, rest: Buffer.from(record.rest.toString(), 'latin1') }, id)
      }
    },
    'keeps only the first attachment': {
      log (log) {
        const { entryOf } = log
        log.entryOf = (record, id) => entryOf({ ...record, attachments: record.attachments.slice(0, 1) }, id)
      }
    },
    'has no attachments without bytes': {
      log (log) {
        const { entryOf } = log
        log.entryOf = (record, id) => entryOf({ ...record, attachments: record.attachments.filter(({ length }) => length > 0) }, id)
      }
    },
    'keeps the memory behind an attachment': {
      log (log) {
        const { entryOf } = log
        log.entryOf = (record, id) => entryOf({ ...record, attachments: record.attachments.map(({ buffer }) => Buffer.from(buffer)) }, id)
      }
    },
    'takes the instance from the name of the stream': {
      log (log) {
        const { push } = log
        log.push = (stream, entry) => { push(stream, { ...entry, instance: 'acme' }) }
      }
    }
  },
  "streams whose names look alike are streams of their own, and the root's is no instance's": {
    "takes the root for an instance called 'null'": {
      log (log) { log.keyOf = String }
    },
    'takes no heed of upper and lower case': {
      log (log) { log.keyOf = stream => stream?.toLowerCase() ?? null }
    },
    'trims names': {
      log (log) { log.keyOf = stream => stream?.trim() ?? null }
    },
    'cuts names': {
      log (log) { log.keyOf = stream => stream?.slice(0, 99) ?? null }
    },
    'keeps names without accents': {
      log (log) { log.keyOf = stream => stream?.replace(/[^ -~]/g, '?') ?? null }
    }
  },
  'an event whose id has come is there to be read': {
    'gives an id before the event is remembered': {
      durable: true,
      log (log) {
        const { append } = log
        log.schedule = () => { if (log.jobs.length === 1) setTimeout(log.work, 1) }
        log.append = (streams, record) => {
          void append(streams, record)
          return log.disk.ids.last
        }
      }
    }
  },
  'when it is drained, everything that was appended before is told': {
    'is drained before it is': {
      durable: true,
      log (log) { log.drained = async () => {} }
    }
  },
  'a stream has a head from the start, before any event, and what is appended comes after it': {
    'has a head that stays where it was': {
      log (log) {
        const heads = new Map<StreamName, string>()
        log.head = ((stream: StreamName) => {
          heads.set(stream, heads.get(stream) ?? log.disk.newest)
          return heads.get(stream) ?? ''
        }) as () => string
      }
    }
  },
  'what is read is what came after an id, all of it and nothing else, as often as it is asked for': {
    'begins with the event of the id': {
      log (log) {
        log.readNow = (stream, after, maxBytes) => log.isGiven(after) && after >= log.floorOf(stream) ? log.page(log.streamOf(stream).entries.filter(({ id }) => id >= after), maxBytes) : 'gap'
      }
    }
  },
  'a page has as much as maxBytes allow, and all pages together have everything': {
    'has no bound for a page': {
      log (log) { log.page = entries => [...entries] }
    },
    'has one event a page': {
      log (log) { log.page = entries => entries.slice(0, 1) }
    },
    'leaves the last event of a page out': {
      log (log) {
        const { page } = log
        log.page = (entries, maxBytes) => {
          const all = page(entries, maxBytes)
          return all.length > 1 && all.length < entries.length ? all.slice(1) : all
        }
      }
    }
  },
  'an event that is larger than a page comes all the same': {
    'has an empty page where an event is too large': {
      log (log) {
        const { page } = log
        log.page = (entries, maxBytes) => page(entries, maxBytes).filter(entry => sizeOf(entry) <= maxBytes)
      }
    },
    'does not count attachments as bytes of a page': {
      log (log) {
        const { page } = log
        log.page = (entries, maxBytes) => entries.slice(0, page(entries.map(entry => ({ ...entry, attachments: [] })), maxBytes).length)
      }
    }
  },
  'an id of another stream of the log says as well from where to read': {
    'knows only the ids of the stream itself': {
      log (log) {
        const { readNow } = log
        log.readNow = (stream, after, maxBytes) => after === log.disk.birth || log.streamOf(stream).entries.some(({ id }) => id === after) ? readNow(stream, after, maxBytes) : 'gap'
      }
    }
  },
  'a text that is no id is a gap, whatever it is': {
    'takes a text that is no id for the beginning': {
      log (log) {
        const { readNow } = log
        log.readNow = (stream, after, maxBytes) => readNow(stream, after === '' ? log.disk.birth : after, maxBytes)
      }
    },
    'takes a text for an id that begins with one': {
      log (log) {
        const { readNow } = log
        log.readNow = (stream, after, maxBytes) => readNow(stream, after.slice(0, 19), maxBytes)
      }
    }
  },
  'an id of another log is a gap, whichever is older': {
    'takes an id of another log': {
      log (log) { log.isGiven = text => /^[0-9a-z]{19}$/.test(text) }
    }
  },
  'an id that was never given is a gap if it is newer than all, and otherwise leads to no hole': {
    'takes an id that comes yet': {
      log (log) {
        log.readNow = (stream, after, maxBytes) => after.endsWith(log.disk.ids.epoch) && after.length === log.disk.birth.length && after >= log.floorOf(stream) ? log.page(log.streamOf(stream).entries.filter(({ id }) => id > after), maxBytes) : 'gap'
      }
    }
  },
  'that a stream has been quiet is no gap, however much others had': {
    'has a gap where nothing came after': {
      log (log) {
        const { readNow } = log
        log.readNow = (stream, after, maxBytes) => {
          const page = readNow(stream, after, maxBytes)
          return page.length === 0 && after !== log.disk.newest ? 'gap' : page
        }
      }
    }
  },
  'a watcher gets the stream\'s later events and no others': {
    'tells of the events of other streams': {
      log (log) { log.told = () => log.watchers }
    },
    'tells the root of everything': {
      log (log) {
        const { told } = log
        log.told = streams => [...told(streams), ...streams.includes(null) ? [] : told([null])]
      }
    },
    'tells who begins to watch of the newest event': {
      log (log) {
        const { watch } = log
        log.watch = (stream, listener) => {
          const watched = watch(stream, listener)
          const newest = log.streamOf(stream).entries.at(-1)
          if (newest !== undefined) listener(newest)
          return watched
        }
      }
    }
  },
  'a watcher gets every event that is appended after its watch is ready': {
    'is ready before it watches': {
      durable: true,
      log (log) {
        const { watch } = log
        log.watch = (stream, listener) => {
          let watched: Watch | undefined
          void turn().then(async () => await turn()).then(() => { watched = watch(stream, listener) })
          return { ready: Promise.resolve(), close: () => { watched?.close() } }
        }
      }
    }
  },
  'a stream that is watched after its last event can be read from that on, though others have had events since': {
    'has a gap where the watch began after it': {
      log (log) {
        const { readNow } = log
        log.readNow = (stream, after, maxBytes) => {
          const page = readNow(stream, after, maxBytes)
          return page.length === 0 && after !== log.disk.newest ? 'gap' : page
        }
      }
    }
  },
  'what is told can be read: the listener itself finds it': {
    'tells before it can be read': {
      log (log) {
        log.commit = (entry, streams) => {
          log.tell(entry, streams)
          log.store(entry, streams)
        }
      }
    }
  },
  'what can be read is told already, to all who watched': {
    'can be read before it is told, in the turn itself': {
      log (log) {
        log.commit = (entry, streams) => {
          log.store(entry, streams)
          queueMicrotask(() => { log.tell(entry, streams) })
        }
      }
    }
  },
  'a watch that is closed tells nothing more, and the others go on, also when it is closed twice': {
    'tells after a watch was closed': {
      log (log) { log.unwatch = watcher => { setImmediate(() => { log.watchers = log.watchers.filter(each => each !== watcher) }) } }
    },
    'ends all watches of a stream with one': {
      log (log) {
        log.unwatch = ({ stream }) => { log.watchers = log.watchers.filter(each => each.stream !== stream) }
      }
    },
    'counts a watch as closed each time that it is closed': {
      log (log) {
        const { unwatch } = log
        log.unwatch = watcher => {
          if (watcher.open) unwatch(watcher)
          else log.watchers = log.watchers.filter(({ stream }) => stream !== watcher.stream)
        }
      }
    }
  },
  'a watch can be closed while an event is told, its own or another, and is told of nothing more': {
    'tells of the event during which a watch was closed': {
      log (log) {
        log.unwatch = watcher => { log.watchers = log.watchers.filter(each => each !== watcher) }
      }
    }
  },
  'each watch of a stream is told of each event, also when two have one listener': {
    'has one who watches for each stream': {
      log (log) {
        const { watch } = log
        log.watch = (stream, listener) => {
          log.watchers = log.watchers.filter(each => each.stream !== stream)
          return watch(stream, listener)
        }
      }
    },
    'tells a listener once that watches twice': {
      log (log) {
        const { told } = log
        log.told = streams => told(streams).filter(({ listener }, at, all) => all.findIndex(other => other.listener === listener) === at)
      }
    }
  },
  'who reads all that there is while an event is told, and then watches, gets it once': {
    'tells who begins to watch in a listener of the same event': {
      log (log) {
        log.tell = (entry, streams) => {
          for (let at = 0; at < log.watchers.length; at++) {
            const watcher = log.watchers[at]
            if (watcher?.open === true && streams.includes(watcher.stream)) watcher.listener(entry)
          }
        }
      }
    }
  },
  'a stream that is watched wants its events, alone and among others': {
    'wants what all streams want': {
      log (log) { log.wants = streams => streams.every(stream => log.isWanted(stream)) }
    }
  },
  'an event that no stream wants leaves a gap before it, also for who watches from then on': {
    'leaves no trace of what was not wanted': {
      log (log) { log.missed = () => {} }
    },
    'forgets what was not wanted when somebody watches': {
      log (log) {
        const { watch } = log
        log.watch = (stream, listener) => {
          log.unwanted.delete(stream)
          return watch(stream, listener)
        }
      }
    },
    'gives who watches after something unwanted the head from before it': {
      log (log) {
        log.wants = streams => {
          if (streams.some(stream => log.isWanted(stream))) return true
          for (const stream of streams) log.missed(stream, log.disk.ids.next())
          return false
        }
      }
    }
  },
  'a stream that nobody watches any more has no hole: it remembers what comes, or has a gap there': {
    'forgets a stream that nobody watches any more': {
      log (log) {
        const { unwatch } = log
        log.unwatch = watcher => {
          unwatch(watcher)
          if (log.told([watcher.stream]).length === 0) log.disk.streams.delete(watcher.stream)
        }
      }
    }
  },
  'an event that one of two streams wants leads to no hole in the other': {
    'leaves no trace of what only another stream wanted': {
      log (log) {
        const { store } = log
        log.store = (entry, streams) => { store(entry, streams.filter(log.isWanted)) }
      }
    }
  },
  'whoever joins while events keep coming gets each of them once, in order': {
    'reads what was there when it was asked, and answers later': {
      durable: true,
      log (log) {
        log.read = async (stream, after, maxBytes) => {
          const page = log.readNow(stream, after, maxBytes)
          await turn()
          return page
        }
      }
    },
    'can be read before it is told, when it is written': {
      durable: true,
      log (log) {
        const { append } = log
        log.append = async (streams, record) => {
          const appended = append(streams, record)
          const entry = log.entryOf(record, log.disk.ids.last)
          log.store(entry, streams)
          log.commit = (entry, streams) => { log.tell(entry, streams) }
          return await appended
        }
      }
    },
    'has a head that is not told yet': {
      durable: true,
      log (log) { log.head = () => log.disk.ids.last }
    }
  },
  'where little is remembered, whoever joins gets each event once, in order, or is told of a gap': {
    'knows in the next turn what it has dropped': {
      log (log) {
        log.drop = stream => {
          const dropped = stream.entries.shift()
          if (dropped !== undefined) setImmediate(() => { stream.floor = dropped.id })
        }
      }
    }
  },
  'a stream remembers maxEvents and, however many come, not many more; those it has dropped are a gap': {
    'drops nothing': {
      log (log) { log.isOver = () => false }
    },
    'drops all when it is full': {
      log (log) {
        log.trim = stream => {
          while (log.isOver(stream) && stream.entries.length > 0) log.clear(stream)
        }
      }
    },
    'drops the newest when it is full': {
      log (log) {
        log.drop = stream => {
          const dropped = stream.entries.pop()
          if (dropped !== undefined) stream.floor = dropped.id
        }
      }
    }
  },
  'a stream remembers maxBytes and, however many come, not many more': {
    'drops nothing by bytes': {
      log (log) { log.bytesOf = () => 0 }
    }
  },
  'an event of more than maxBytes is told, and leaves no hole': {
    'has a gap at the newest event that was dropped': {
      log (log) {
        const { floorOf } = log
        log.floorOf = name => {
          const floor = floorOf(name)
          return floor === log.disk.birth ? floor : `${floor}+`
        }
      }
    }
  },
  'an event of more than maxBytes is kept alone, as the newest of its streams, until the next one comes': {
    'drops what is larger than a stream may be': {
      log (log) {
        const { isOver } = log
        log.isOver = stream => isOver(stream) || log.bytesOf(stream.entries) > log.settings.retention.maxBytes
      }
    },
    'keeps what came before it': {
      log (log) {
        const { isOver } = log
        log.isOver = stream => isOver(stream) && log.bytesOf(stream.entries.slice(-1)) <= log.settings.retention.maxBytes
      }
    }
  },
  'where a stream remembers a single event, its newest id is no gap, and nor is a stream that had none': {
    'has one floor for all streams': {
      log (log) {
        log.floorOf = () => [...log.disk.streams.values()].map(({ floor }) => floor).toSorted().at(-1) ?? log.disk.birth
      }
    }
  },
  'what a noisy stream drops shortens no other: not what it remembers, nor from where it can be read': {
    'drops the oldest of all streams': {
      log (log) {
        const { trim } = log
        log.trim = stream => {
          trim(stream)
          const all = [...log.disk.streams.values()]
          if (all.reduce((sum, { entries }) => sum + entries.length, 0) > log.settings.retention.maxEvents) all.forEach(log.drop)
        }
      }
    }
  },
  'who reads page by page while what is old is dropped misses nothing in silence': {
    'does not know what it has dropped': {
      log (log) { log.drop = ({ entries }) => { entries.shift() } }
    }
  },
  'a stream that is removed has dropped its past, and has a future': {
    'does not know what it has removed': {
      log (log) { log.clear = stream => { stream.entries = [] } }
    },
    'removes all streams': {
      log (log) {
        const { clear } = log
        log.clear = () => { for (const stream of log.disk.streams.values()) clear(stream) }
      }
    },
    'ends the watches of a stream that is removed': {
      log (log) {
        const { remove } = log
        log.remove = async name => {
          log.watchers = log.watchers.filter(({ stream }) => stream !== name)
          await remove(name)
        }
      }
    }
  },
  'a stream can be removed that has no past, or is not watched': {
    'has a gap where nothing was removed': {
      log (log) {
        log.clear = stream => {
          stream.entries = []
          stream.floor = log.disk.ids.next()
        }
      }
    }
  },
  'a stream that is removed while events keep coming has no hole, and tells of them all': {
    'removes before what was called before': {
      durable: true,
      log (log) {
        log.remove = async name => {
          const { entries } = log.streamOf(name)
          await turn()
          entries.splice(0)
        }
      }
    }
  },
  'its figures grow with what it holds, and shrink with what it drops': {
    'counts what it has dropped': {
      log (log) {
        const { push, stats } = log
        let records = 0
        log.push = (stream, entry) => {
          records++
          push(stream, entry)
        }
        log.stats = () => ({ ...stats(), records })
      }
    },
    'counts nothing': {
      log (log) { log.stats = () => ({ streams: 0, records: 0, bytes: 0 }) }
    }
  },
  'what is older than maxAge is dropped, and what is not is there': {
    'drops nothing by age': {
      log (log) {
        const { isOver } = log
        log.isOver = stream => isOver({ ...stream, entries: stream.entries.map(entry => ({ ...entry, id: 'z'.repeat(19) })) })
      }
    }
  },
  'that a stream has been quiet for ten times maxAge is no gap': {
    'takes a quiet stream for one that was dropped': {
      log (log) {
        const { readNow } = log
        log.readNow = (stream, after, maxBytes) => timeOf(after) < log.settings.now() - log.settings.retention.maxAge ? 'gap' : readNow(stream, after, maxBytes)
      }
    }
  },
  'everything is there as it was, and can be read before anybody watches': {
    'does not keep attachments': {
      durable: true,
      reopened (disk) {
        for (const stream of disk.streams.values()) stream.entries = stream.entries.map(entry => ({ ...entry, attachments: [] }))
      }
    }
  },
  'an event of more than maxBytes is still there': {
    'drops it when it is opened again': {
      durable: true,
      reopened (disk) {
        for (const stream of disk.streams.values()) {
          const [large] = stream.entries.filter(({ rest }) => rest.length > 100_000)
          if (large === undefined) continue
          stream.entries = []
          stream.floor = large.id
        }
      }
    }
  },
  'ids go on growing, heads go on, and what comes later follows what was there': {
    'begins a new life each time it is opened': {
      durable: true,
      reopened: ({ streams }, { settings: { now } }) => ({ ...newDisk(now), streams })
    },
    'forgets the streams without events when it is closed': {
      durable: true,
      reopened (disk) {
        const { floor } = disk.streams.get('silent') ?? {}
        if (floor !== undefined) disk.streams.set('silent', { entries: [], floor: disk.newest })
      }
    }
  },
  'what was appended and not waited for is kept, and told before the end or not at all': {
    'does not write what was not waited for': {
      durable: true,
      async close (log) { log.commit = () => {} }
    },
    'tells when it is closed': {
      durable: true,
      async close () {}
    }
  },
  'what was dropped stays a gap, and a stream from which nothing was dropped has none': {
    'forgets its floors when it is closed': {
      durable: true,
      reopened (disk) { for (const stream of disk.streams.values()) stream.floor = disk.birth }
    }
  },
  'a stream that was removed stays so': {
    'has back what it had removed': {
      durable: true,
      log (log) {
        const { clear } = log
        log.clear = stream => {
          log.removed.set(stream, { ...stream, entries: [...stream.entries] })
          clear(stream)
        }
      },
      reopened (disk, { removed }) {
        for (const [stream, { entries, floor }] of removed) {
          stream.entries.unshift(...entries)
          stream.floor = floor
        }
      }
    }
  },
  'an id of another log is a gap still': {
    'does not know where its ids were': {
      durable: true,
      reopened (disk) {
        const ids = new Ids({ epoch: disk.ids.epoch, now: () => 1_700_000_000_000 })
        return { ...disk, ids, newest: ids.last }
      }
    }
  },
  'whatever was done, and however often it was reopened in between, there is no hole': {
    'has lost the newest event when it was closed': {
      durable: true,
      reopened (disk) { disk.streams.get('acme')?.entries.pop() }
    }
  },
  'what has grown too old meanwhile is dropped, and a stream that was quiet has no gap': {
    'takes what it has for all that there was': {
      durable: true,
      reopened (disk) { for (const stream of disk.streams.values()) stream.floor = disk.newest }
    }
  },
  'a request is done once for its key, and whoever repeats it is told what became of it then': {
    'does it each time': { log (log) { log.outcome = () => undefined } }
  },
  'a key that comes with another request is a conflict, and appends nothing': {
    'does not look at the request': { log (log) { log.fingerprintOf = () => '' } }
  },
  'keys are texts of any kind, and each table has its own': {
    'has one table': { log (log) { const { tableOf } = log; log.tableOf = () => tableOf({ name: 'one' }) } },
    'does not tell capitals': { log (log) { const { once } = log; log.once = (request, ...rest) => once({ ...request, key: request.key.toLowerCase() }, ...rest) } }
  },
  'an answer and a fingerprint come back as they were': {
    'shortens them': { log (log) { log.answerOf = ({ answer }) => answer.slice(0, 100) } }
  },
  'an event that no stream wants has no id, then and later': {
    'gives it one': { log (log) { log.idOf = ({ id }) => id } }
  },
  'of many that come at once with one key, one is done and all are told of it': {
    'keeps a key a turn later': { log (log) { const { keep } = log; log.keep = (...given) => { setImmediate(() => { keep(...given) }) } } }
  },
  'units and single events of one stream are told in the order of the calls, and a unit is never taken apart': {
    'lets single events overtake units': {
      durable: true,
      log (log) {
        const { appendOnce } = log
        log.appendOnce = async (...given) => {
          await turn()
          return await appendOnce(...given)
        }
      }
    }
  },
  'when a table is full, a new key is refused and appends nothing, and none goes early': {
    'has room for any number': { log (log) { log.isFull = () => false } },
    'drops the oldest': {
      log (log) {
        log.isFull = (table, { maxKeys }) => {
          const [oldest = ''] = table.keys()
          if (table.size >= maxKeys) table.delete(oldest)
          return false
        }
      }
    }
  },
  'a key is kept for as long as its table says, and then its place is free': {
    'keeps it for ever': { log (log) { log.isFresh = () => true } },
    'keeps it for half of that': { log (log) { const { isFresh } = log; log.isFresh = (time, table) => isFresh(time, { ...table, maxAge: table.maxAge / 2 }) } }
  },
  'what replaces a key takes its place, without its events': {
    'keeps what is there': { log (log) { const { outcome } = log; log.outcome = request => outcome({ ...request, replaces: false }) } }
  },
  'a fence keeps out what is before it, and nothing that is known or after it': {
    'has none': { log (log) { const { outcome } = log; log.outcome = request => outcome({ ...request, fence: undefined }) } }
  },
  'keys outlive what the streams remember of their events': {
    'drops them with the events': {
      log (log) {
        const { clear } = log
        log.clear = stream => {
          clear(stream)
          log.disk.keys.clear()
        }
      }
    }
  },
  'a log that is opened again knows its keys': {
    'has forgotten them': { durable: true, reopened (disk) { disk.keys.clear() } }
  }
}

const promiseOf = (name: string): string => name.slice(name.indexOf(': ') + 2)

/** What a test says of a log. */
async function faultOf (promise: string, breaks: Breaks): Promise<string | undefined> {
  const test = eventLogSuite(reference(breaks)).find(({ name }) => promiseOf(name) === promise)
  try {
    await test?.run()
  } catch (error) {
    if (error instanceof AssertionError) return error.message.split('\n')[0]
    throw error
  }
}

t.test('no log passes that has a fault', async t => {
  // At the same time, because some are given time for what they never do.
  // Of each promise one fault in `npm test`, and all in test/long.
  await Promise.all(Object.entries(FAULTS).flatMap(([promise, logs], turn) => sampleOf(Object.entries(logs), Object.keys(logs).length, turn).map(async ([fault, breaks]) => {
    const found = await faultOf(promise, breaks)
    t.ok(found, `a log that ${fault} fails "${promise}": ${found}`)
  })))
})

t.test('each test of the contract shows a fault', async t => {
  t.strictSame(eventLogSuite(reference({})).map(({ name }) => promiseOf(name)), Object.keys(FAULTS))
})
