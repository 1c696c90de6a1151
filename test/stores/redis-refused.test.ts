import { rmSync } from 'node:fs'
import type { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { OpenStore } from '../../lib/stores/store.js'
import { answered } from '../helpers/latch.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { appendMany, idsAfter, newPrefix, openNode, recordOf, sameList, type Watcher, watcherOf } from './redis/nodes.js'

const PENDING_FULL = 'FST_ERR_WS_EVENTS_PENDING_FULL'
const UNAVAILABLE = 'FST_ERR_WS_EVENTS_STORE_UNAVAILABLE'
const REFUSES = 'Redis refuses writes'
const AGAIN = 'Redis takes writes again'

interface Place {
  readonly commands: Redis
  readonly node: OpenStore
  readonly watcher: Watcher
  /** What was logged, but for details. */
  readonly lines: string[]
  /** How often all configs were to be read again. */
  readonly reads: () => number
}

async function startPlace (t: Test): Promise<Place> {
  const redis = await startRedis(t)
  const lines: string[] = []
  const log = (details: object, message: string): void => { lines.push(message) }
  const node = await openNode(t, { url: redis.url, prefix: newPrefix() }, { limits: { pendingEvents: 20, pendingBytes: 0 }, logger: { warn: log, error: log } })
  let reads = 0
  node.configs.watch?.(name => { if (name === null) reads++ })
  return { commands: redis.connect(), node, watcher: await watcherOf(node, 'acme'), lines, reads: () => reads }
}

const isAvailable = ({ health }: OpenStore): boolean => health?.().available === true

/** How often Redis has answered with an error of a name. */
const refusals = async (commands: Redis, name: string): Promise<number> =>
  Number(new RegExp(`errorstat_${name}:count=(\\d+)`).exec(await commands.info('errorstats'))?.[1] ?? 0)

/** Where writes fail and reads work, and what is emitted waits. */
const WAITING = {
  NOREPLICAS: {
    refuse: async (commands: Redis) => { await commands.config('SET', 'min-replicas-to-write', '1') },
    allow: async (commands: Redis) => { await commands.config('SET', 'min-replicas-to-write', '0') }
  },
  READONLY: {
    // Of a master that is not there, whose data it never gets.
    refuse: async (commands: Redis) => { await commands.replicaof('127.0.0.1', 1) },
    allow: async (commands: Redis) => { await commands.replicaof('NO', 'ONE') }
  }
}

/** Where nothing can wait, because nobody knows whether it will ever be taken. */
const REJECTED = {
  OOM: {
    refuse: async (commands: Redis) => { await commands.config('SET', 'maxmemory', '100kb') },
    allow: async (commands: Redis) => { await commands.config('SET', 'maxmemory', '0') }
  },
  MISCONF: {
    refuse: async (commands: Redis) => {
      const [, directory = ''] = await commands.config('GET', 'dir') as string[]
      rmSync(directory, { recursive: true })
      await commands.config('SET', 'save', '3600 1')
      await commands.bgsave()
      await answered(async () => (await commands.info('persistence')).includes('rdb_last_bgsave_status:err'))
    },
    allow: async (commands: Redis) => { await commands.config('SET', 'stop-writes-on-bgsave-error', 'no') }
  }
}

t.test('a Redis that reads and does not write', { skip: withoutRedis }, async t => {
  // Each has its own Redis, and they wait together.
  t.jobs = 4

  for (const [name, { refuse, allow }] of Object.entries(WAITING)) {
    t.test(`while Redis answers writes with ${name}, events wait, within their limit, and less and less is tried; then they arrive once and in order`, { buffered: true }, async t => {
      const { commands, node, watcher, lines, reads } = await startPlace(t)
      const before = await appendMany(node.log, ['acme'], 3)
      await watcher.untilCount(3)
      await refuse(commands)
      const from = performance.now()
      const readsBefore = reads()
      const waiting = appendMany(node.log, ['acme'], 20, { from: 3 })
      await answered(async () => !isAvailable(node))
      await t.rejects((async () => await node.log.append(['acme'], recordOf(99)))(), { code: PENDING_FULL })
      t.match(node.health?.(), { available: false, pendingEvents: 20 })
      await answered(async () => await refusals(commands, name) >= 8)
      const took = performance.now() - from
      t.ok(took > 1500, `eight tries took ${took} ms`)
      if (name === 'NOREPLICAS') t.equal(reads(), readsBefore, 'and the configs were not read again')
      sameList(await idsAfter(node.log, 'acme', before[0] ?? '') as string[], before.slice(1), 'what is there can be read')
      await Promise.all([
        t.rejects(node.log.remove('acme'), { code: UNAVAILABLE }),
        t.rejects(node.configs.set('acme', { enabled: true, events: null }), { code: UNAVAILABLE, message: new RegExp(name) })
      ])
      t.equal(isAvailable(node), false)
      await allow(commands)
      const ids = [...before, ...await waiting]
      await watcher.untilCount(23)
      sameList(watcher.ids, ids, 'told')
      sameList(watcher.numbers, ids.map((id, n) => n), 'in order')
      sameList(await idsAfter(node.log, 'acme', watcher.start) as string[], ids, 'read')
      await answered(async () => isAvailable(node))
      await node.log.remove('acme')
      t.strictSame(lines.filter(line => line.includes('writes')).map(line => line.split(':')[0]), [REFUSES, AGAIN])
      t.match(lines.find(line => line.startsWith(REFUSES)), /wait, up to limits\.pendingEvents/)
      t.equal(watcher.gaps.length, 0)
    })
  }

  for (const [name, { refuse, allow }] of Object.entries(REJECTED)) {
    t.test(`while Redis answers writes with ${name}, events are rejected, and it is available again by itself when it writes`, { buffered: true }, async t => {
      const { commands, node, watcher, lines } = await startPlace(t)
      const before = await appendMany(node.log, ['acme'], 3)
      await refuse(commands)
      for (let n = 0; n < 3; n++) await t.rejects((async () => await node.log.append(['acme'], recordOf(99)))(), { code: UNAVAILABLE, message: new RegExp(name) })
      t.match(node.health?.(), { available: false, pendingEvents: 0 })
      sameList(await idsAfter(node.log, 'acme', before[0] ?? '') as string[], before.slice(1), 'what is there can be read')
      const tried = await refusals(commands, name)
      await answered(async () => await refusals(commands, name) > tried + 1)
      t.equal(isAvailable(node), false)
      await allow(commands)
      await answered(async () => isAvailable(node))
      const ids = [...before, ...await appendMany(node.log, ['acme'], 3, { from: 3 })]
      await watcher.untilCount(6)
      sameList(watcher.ids, ids, 'told')
      t.strictSame(lines.filter(line => line.includes('writes')).map(line => line.split(':')[0]), [REFUSES, AGAIN])
      t.match(lines.find(line => line.startsWith(REFUSES)), /emit rejects with STORE_UNAVAILABLE/)
    })
  }
})
