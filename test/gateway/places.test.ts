import { EventEmitter } from 'node:events'
import fc from 'fast-check'
import t from 'tap'
import type { Connection } from '../../lib/gateway/internals.js'
import { Places } from '../../lib/gateway/places.js'
import { SocketLink } from '../../lib/gateway/socket-link.js'
import type { Limits } from '../../lib/types.js'

const none: Limits = { connections: 0, connectionsPerInstance: 0, connectionsPerAddress: 0, refusalsPerMinute: 0, namespacesPerConnection: 0, idleMs: 0, queuedBytes: 0, messageBytes: 0, inboundBytes: 0, inboundPerSecond: 0, pendingEvents: 0, pendingBytes: 0 }
const linkFrom = (address: string | null): SocketLink => SocketLink.of(new EventEmitter() as Connection, address)

/** What a client holds that is in. */
interface Place { release(): void }

/** Takes a place as a client does whose key is accepted: on the node, and then in the namespace. */
function join (places: Places, link: SocketLink, instance: string | null): Place {
  places.take(link)
  try {
    places.enter(instance)
  } catch (error) {
    places.giveBack(link)
    throw error
  }
  return {
    release: () => {
      places.leave(instance)
      places.giveBack(link)
    }
  }
}

/** What a function throws, as the name of the limit. */
function reached (call: () => unknown): string | undefined {
  try {
    call()
  } catch (error) {
    const { code, message } = error as { code?: string, message: string }
    return code === 'FST_ERR_WS_EVENTS_LIMIT_REACHED' ? /^the limit (\w+) is reached$/.exec(message)?.[1] : String(error)
  }
}

t.test('0 is no limit', async t => {
  const places = new Places(none)
  const one = linkFrom('1.1.1.1')
  for (let at = 0; at < 1000; at++) {
    join(places, linkFrom('1.1.1.1'), 'acme')
    join(places, one, `instance ${at}`)
    places.refused('1.1.1.1')
  }
  places.checkRefusals('1.1.1.1')
  t.equal(places.connections, 1001)
})

t.test('a limit lets in as many as it says, and one more when a place is given back', async t => {
  const cases: ReadonlyArray<readonly [limit: keyof Limits, take: (places: Places, shared: SocketLink, at: number) => Place]> = [
    ['connections', (places, shared, at) => join(places, linkFrom(`1.1.1.${at}`), `i${at}`)],
    ['connectionsPerAddress', (places, shared, at) => join(places, linkFrom('1.1.1.1'), `i${at}`)],
    ['connectionsPerInstance', (places, shared, at) => join(places, linkFrom(`1.1.1.${at}`), 'acme')],
    ['namespacesPerConnection', (places, shared, at) => join(places, shared, `i${at}`)]
  ]
  for (const [limit, take] of cases) {
    const places = new Places({ ...none, [limit]: 3 })
    const shared = linkFrom('1.1.1.1')
    const held = [0, 1, 2].map(at => take(places, shared, at))
    t.equal(reached(() => take(places, shared, 3)), limit)
    held[1]?.release()
    take(places, shared, 4)
    t.equal(reached(() => take(places, shared, 5)), limit)
  }
})

t.test('the root is counted as an instance of its own', async t => {
  const places = new Places({ ...none, connectionsPerInstance: 1 })
  join(places, linkFrom(null), null)
  t.equal(reached(() => join(places, linkFrom(null), null)), 'connectionsPerInstance')
  join(places, linkFrom(null), 'null')
})

t.test('a connection is counted once, in however many namespaces it is', async t => {
  const places = new Places({ ...none, connections: 1, connectionsPerAddress: 1 })
  const one = linkFrom('1.1.1.1')
  const held = [join(places, one, 'a'), join(places, one, 'b')]
  t.equal(places.connections, 1)
  held[0]?.release()
  t.equal(reached(() => join(places, linkFrom('2.2.2.2'), 'a')), 'connections', 'it is still in one')
  held[1]?.release()
  t.equal(places.connections, 0)
  join(places, linkFrom('1.1.1.1'), 'a')
})

t.test('a place that was refused takes nothing', async t => {
  const places = new Places({ ...none, connections: 2, connectionsPerInstance: 1 })
  join(places, linkFrom(null), 'acme')
  for (let at = 0; at < 5; at++) t.equal(reached(() => join(places, linkFrom(null), 'acme')), 'connectionsPerInstance')
  t.equal(places.connections, 1)
  join(places, linkFrom(null), 'other')
})

t.test('a client whose key is not accepted yet takes no place in the instance, and does not learn whether it is full', async t => {
  const places = new Places({ ...none, connectionsPerInstance: 1 })
  const knocking = [1, 2, 3].map(() => linkFrom(null))
  for (const link of knocking) places.take(link)
  t.equal(places.connections, 3)
  const inside = join(places, linkFrom(null), 'acme')
  t.equal(reached(() => { places.enter('acme') }), 'connectionsPerInstance')
  for (const link of knocking) places.giveBack(link)
  t.equal(reached(() => join(places, linkFrom(null), 'acme')), 'connectionsPerInstance', 'giving back what was not taken frees nothing')
  inside.release()
  join(places, linkFrom(null), 'acme')
})

t.test('whatever comes and goes, no limit is passed and nothing is lost', async t => {
  const limits = { ...none, connections: 3, connectionsPerAddress: 2, connectionsPerInstance: 2, namespacesPerConnection: 2 }
  const step = fc.record({ connection: fc.nat({ max: 4 }), instance: fc.constantFrom(null, 'a', 'b', 'c'), leave: fc.boolean(), which: fc.nat({ max: 20 }) })
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), steps => {
    const places = new Places(limits)
    const addressOf = (at: number) => at < 3 ? '1.1.1.1' : null
    const links = Array.from({ length: 5 }, (empty, at) => linkFrom(addressOf(at)))
    let held: Array<{ at: number, instance: string | null, place: Place }> = []
    for (const { connection: at, instance, leave, which } of steps) {
      if (leave) {
        const gone = held[which % Math.max(held.length, 1)]
        gone?.place.release()
        held = held.filter(entry => entry !== gone)
      } else {
        const open = new Set(held.map(entry => entry.at))
        const isNew = !open.has(at)
        const full = [
          isNew && open.size >= limits.connections,
          isNew && [...open].filter(other => addressOf(other) === addressOf(at)).length >= limits.connectionsPerAddress,
          held.filter(entry => entry.instance === instance).length >= limits.connectionsPerInstance,
          held.filter(entry => entry.at === at).length >= limits.namespacesPerConnection
        ].includes(true)
        const call = () => { held.push({ at, instance, place: join(places, links[at] as SocketLink, instance) }) }
        if ((reached(call) !== undefined) !== full) return false
      }
      if (places.connections !== new Set(held.map(entry => entry.at)).size) return false
    }
    for (const { place } of held) place.release()
    return places.connections === 0
  }), { numRuns: 1000 })
})

t.test('an address that was refused too often is sent away until the minute is over', async t => {
  let now = 1_000_000
  const places = new Places({ ...none, refusalsPerMinute: 2 }, () => now)
  places.checkRefusals('1.1.1.1')
  places.refused('1.1.1.1')
  places.checkRefusals('1.1.1.1')
  places.refused('1.1.1.1')
  t.equal(reached(() => { places.checkRefusals('1.1.1.1') }), 'refusalsPerMinute')
  places.checkRefusals('2.2.2.2')
  places.checkRefusals(null)
  now += 59_999
  t.equal(reached(() => { places.checkRefusals('1.1.1.1') }), 'refusalsPerMinute')
  now += 1
  places.checkRefusals('1.1.1.1')
  places.refused('1.1.1.1')
  places.checkRefusals('1.1.1.1')
})

t.test('the clients of a Unix socket, which have no address, count as one', async t => {
  const places = new Places({ ...none, refusalsPerMinute: 1, connectionsPerAddress: 1 })
  places.refused(null)
  t.equal(reached(() => { places.checkRefusals(null) }), 'refusalsPerMinute')
  join(places, linkFrom(null), 'a')
  t.equal(reached(() => join(places, linkFrom(null), 'b')), 'connectionsPerAddress')
})
