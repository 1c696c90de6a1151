import t, { type Test } from 'tap'
import type { EventLog, Retention } from '../../lib/log/event-log.js'
import { redisStore } from '../../lib/stores/redis/index.js'
import type { OpenStore } from '../../lib/stores/store.js'
import { configStoreSuite, eventLogSuite, type OpenConfigs, type OpenLog } from '../contracts/index.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { AMPLE, newPrefix, quiet } from './redis/nodes.js'

type Opened = OpenStore & Required<Pick<OpenLog, 'reopen'>> & Required<Pick<OpenConfigs, 'reopen'>>

/** A node on a prefix of its own, which can be closed and opened again. */
async function openSubject (url: string, retention: Retention, prefix = newPrefix()): Promise<Opened & { reopen: () => Promise<Opened> }> {
  const store = await redisStore({ url, prefix }).open({ retention, logger: quiet })
  return {
    ...store,
    reopen: async () => {
      await store.close()
      return await openSubject(url, retention, prefix)
    }
  }
}

/** What is appended on one node, as another one is told of it and reads it. */
function across (near: EventLog, far: EventLog): EventLog {
  return {
    append: (streams, record) => near.append(streams, record),
    appendOnce: (request, events) => {
      if (near.appendOnce === undefined) throw new Error('it keeps no keys')
      return near.appendOnce(request, events)
    },
    remove: async stream => {
      await near.remove(stream)
      // It is told like an event, and counts there when it has come.
      await far.drained()
    },
    wants: streams => near.wants(streams),
    watch: (stream, listener, onGap) => far.watch(stream, listener, onGap),
    read: (stream, after, maxBytes) => far.read(stream, after, maxBytes),
    head: stream => far.head(stream),
    stats: () => far.stats(),
    // What is appended here has to be there before it can be told of.
    drained: async () => {
      await near.drained()
      await far.drained()
    }
  }
}

interface Pair extends OpenLog {
  readonly configs: OpenStore['configs']
  reopen: () => Promise<Pair>
}

/** Two nodes on one prefix, as one log and as one place for configs. */
async function openPair (url: string, retention: Retention, prefix = newPrefix()): Promise<Pair> {
  const [near, far] = await Promise.all([openSubject(url, retention, prefix), openSubject(url, retention, prefix)])
  const close = async (): Promise<void> => {
    await near.close()
    await far.close()
  }
  return {
    log: across(near.log, far.log),
    configs: {
      set: async (name, config) => await near.configs.set(name, config),
      delete: async name => await near.configs.delete(name),
      get: async name => await far.configs.get(name),
      list: () => far.configs.list()
    },
    close,
    reopen: async () => {
      await close()
      return await openPair(url, retention, prefix)
    }
  }
}

t.test('a store in Redis', { skip: withoutRedis }, async t => {
  const { url } = await startRedis(t)
  const run = (title: string, test: { readonly name: string, run: () => Promise<void> }): unknown => t.test(`${title}${test.name}`, async () => { await test.run() })

  for (const test of eventLogSuite(async retention => await openSubject(url, retention))) run('', test)
  for (const test of configStoreSuite(async () => await openSubject(url, AMPLE))) run('', test)
  for (const test of eventLogSuite(async retention => await openPair(url, retention))) {
    // On another node it is there when it was told there.
    if (!test.name.endsWith('an event whose id has come is there to be read')) run('appended on one node, told and read on another: ', test)
  }
  for (const test of configStoreSuite(async () => await openPair(url, AMPLE))) run('set on one node, read on another: ', test)

  t.test('says what it is, and what it remembers where nothing is said', async (t: Test) => {
    const store = redisStore(url)
    t.equal(store.name, url)
    t.strictSame(store.retention, { maxAge: 86_400_000, maxEvents: 100_000, maxBytes: 64 * 1024 * 1024 })
  })
})
