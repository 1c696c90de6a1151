import { EventEmitter } from 'node:events'
import fc from 'fast-check'
import t from 'tap'
import { Quotas } from '../../lib/gateway/quotas.js'
import type { Session } from '../../lib/gateway/session.js'
import type { SocketConnection } from '../../lib/gateway/socketio/connection.js'
import type { EngineConnection } from '../../lib/gateway/socketio/engine.js'
import type { Limits } from '../../lib/types.js'
import { connectionOf } from '../helpers/gateway.js'

const none: Limits = { connections: 0, connectionsPerInstance: 0, connectionsPerAddress: 0, refusalsPerMinute: 0, namespacesPerConnection: 0, idleMs: 0, queuedBytes: 0, queuedBytesMax: 0, queuedBytesTotal: 0, messageBytes: 0, instances: 0, inboundBytes: 0, inboundPerSecond: 0, publishPerSecond: 0, pendingEvents: 0, pendingBytes: 0 }
const connectionFrom = (address: string | null): SocketConnection => connectionOf(new EventEmitter() as EngineConnection, address)

/** What a client holds that is in. */
interface Place { release(): void }

/** Takes a place as a client does whose key is accepted: on the node, and then in the namespace. */
function join (quotas: Quotas, connection: SocketConnection, instance: string | null): Place {
  const session = {} as Session
  const giveBack = () => {
    connection.delete(session)
    quotas.giveBack(connection)
  }
  quotas.take(connection)
  connection.add(session)
  try {
    quotas.enter(instance)
  } catch (error) {
    giveBack()
    throw error
  }
  return {
    release: () => {
      quotas.leave(instance)
      giveBack()
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
  const quotas = new Quotas(none)
  const one = connectionFrom('1.1.1.1')
  for (let at = 0; at < 1000; at++) {
    join(quotas, connectionFrom('1.1.1.1'), 'acme')
    join(quotas, one, `instance ${at}`)
  }
  t.equal(quotas.connections, 1001)
})

t.test('a limit lets in as many as it says, and one more when a place is given back', async t => {
  const cases: ReadonlyArray<readonly [limit: keyof Limits, take: (quotas: Quotas, shared: SocketConnection, at: number) => Place]> = [
    ['connections', (quotas, shared, at) => join(quotas, connectionFrom(`1.1.1.${at}`), `i${at}`)],
    ['connectionsPerAddress', (quotas, shared, at) => join(quotas, connectionFrom('1.1.1.1'), `i${at}`)],
    ['connectionsPerInstance', (quotas, shared, at) => join(quotas, connectionFrom(`1.1.1.${at}`), 'acme')],
    ['namespacesPerConnection', (quotas, shared, at) => join(quotas, shared, `i${at}`)]
  ]
  for (const [limit, take] of cases) {
    const quotas = new Quotas({ ...none, [limit]: 3 })
    const shared = connectionFrom('1.1.1.1')
    const held = [0, 1, 2].map(at => take(quotas, shared, at))
    t.equal(reached(() => take(quotas, shared, 3)), limit)
    held[1]?.release()
    take(quotas, shared, 4)
    t.equal(reached(() => take(quotas, shared, 5)), limit)
  }
})

t.test('the root is counted as an instance of its own', async t => {
  const quotas = new Quotas({ ...none, connectionsPerInstance: 1 })
  join(quotas, connectionFrom(null), null)
  t.equal(reached(() => join(quotas, connectionFrom(null), null)), 'connectionsPerInstance')
  join(quotas, connectionFrom(null), 'null')
})

t.test('a connection is counted once, in however many namespaces it is', async t => {
  const quotas = new Quotas({ ...none, connections: 1, connectionsPerAddress: 1 })
  const one = connectionFrom('1.1.1.1')
  const held = [join(quotas, one, 'a'), join(quotas, one, 'b')]
  t.equal(quotas.connections, 1)
  held[0]?.release()
  t.equal(reached(() => join(quotas, connectionFrom('2.2.2.2'), 'a')), 'connections', 'it is still in one')
  held[1]?.release()
  t.equal(quotas.connections, 0)
  join(quotas, connectionFrom('1.1.1.1'), 'a')
})

t.test('a place that was refused takes nothing', async t => {
  const quotas = new Quotas({ ...none, connections: 2, connectionsPerInstance: 1 })
  join(quotas, connectionFrom(null), 'acme')
  for (let at = 0; at < 5; at++) t.equal(reached(() => join(quotas, connectionFrom(null), 'acme')), 'connectionsPerInstance')
  t.equal(quotas.connections, 1)
  join(quotas, connectionFrom(null), 'other')
})

t.test('a client whose key is not accepted yet takes no place in the instance, and does not learn whether it is full', async t => {
  const quotas = new Quotas({ ...none, connectionsPerInstance: 1 })
  const knocking = [1, 2, 3].map(() => connectionFrom(null))
  for (const connection of knocking) quotas.take(connection)
  t.equal(quotas.connections, 3)
  const inside = join(quotas, connectionFrom(null), 'acme')
  t.equal(reached(() => { quotas.enter('acme') }), 'connectionsPerInstance')
  for (const connection of knocking) quotas.giveBack(connection)
  t.equal(reached(() => join(quotas, connectionFrom(null), 'acme')), 'connectionsPerInstance', 'giving back what was not taken frees nothing')
  inside.release()
  join(quotas, connectionFrom(null), 'acme')
})

t.test('whatever comes and goes, no limit is passed and nothing is lost', async t => {
  const limits = { ...none, connections: 3, connectionsPerAddress: 2, connectionsPerInstance: 2, namespacesPerConnection: 2 }
  const step = fc.record({ connection: fc.nat({ max: 4 }), instance: fc.constantFrom(null, 'a', 'b', 'c'), leave: fc.boolean(), which: fc.nat({ max: 20 }) })
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), steps => {
    const quotas = new Quotas(limits)
    const addressOf = (at: number) => at < 3 ? '1.1.1.1' : null
    const links = Array.from({ length: 5 }, (empty, at) => connectionFrom(addressOf(at)))
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
        const call = () => { held.push({ at, instance, place: join(quotas, links[at] as SocketConnection, instance) }) }
        if ((reached(call) !== undefined) !== full) return false
      }
      if (quotas.connections !== new Set(held.map(entry => entry.at)).size) return false
    }
    for (const { place } of held) place.release()
    return quotas.connections === 0
  }), { numRuns: 1000 })
})

t.test('the clients of a Unix socket, which have no address, count as one', async t => {
  const quotas = new Quotas({ ...none, connectionsPerAddress: 1 })
  join(quotas, connectionFrom(null), 'a')
  t.equal(reached(() => join(quotas, connectionFrom(null), 'b')), 'connectionsPerAddress')
})

t.test('addresses of one IPv6 /64 count as one, in whatever spelling, and an IPv4 address counts as itself', async t => {
  const quotas = new Quotas({ ...none, connectionsPerAddress: 1 })
  const same = ['2001:db8:1:2::1', '2001:DB8:1:2:ffff:ffff:ffff:ffff', '2001:0db8:0001:0002::']
  for (const [at, address] of same.entries()) {
    const joinOnce = () => join(quotas, connectionFrom(address), `instance ${at}`)
    if (at === 0) joinOnce()
    else t.equal(reached(joinOnce), 'connectionsPerAddress')
  }
  join(quotas, connectionFrom('2001:db8:1:3::1'), 'a')
  join(quotas, connectionFrom('203.0.113.5'), 'a')
  t.equal(reached(() => join(quotas, connectionFrom('::ffff:203.0.113.5'), 'b')), 'connectionsPerAddress', 'mapped into IPv6')
  join(quotas, connectionFrom('203.0.113.6'), 'a')
})
