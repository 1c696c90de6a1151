import { setTimeout as sleep } from 'node:timers/promises'
import { Child } from '../lib/children.js'
import type { Context } from '../lib/context.js'
import type { GreedClientApi } from '../lib/greed-client.js'
import { KEY } from '../lib/greed-key.js'
import type { GreedServerApi } from '../lib/greed-server.js'
import { type Report, shown } from '../lib/report.js'

const KB = 1024
const MB = 1024 * KB
/** `limits.queuedBytesTotal`, and what a tick or a page may be above it. */
const MOST = 256 * MB * 1.25
/** Until the server has looked at what it was sent, in ms. */
const SETTLED = 2000

interface Parts {
  readonly server: Child<GreedServerApi>
  readonly client: Child<GreedClientApi>
  readonly port: number
}

interface Attack {
  readonly name: string
  readonly connections: number
  /** The limit that ends it. */
  readonly boundedBy: string
  /** What is there before, and counts as such. Resolves to the id before it. */
  readonly prepare?: (parts: Parts) => Promise<string>
  readonly run: (parts: Parts, after: string) => Promise<void>
}

const instances = (count: number): string[] => Array.from({ length: count }, (_, at) => `/instance-${at}`)
const named = (count: number): string[] => instances(count).map(name => name.slice(1))

/** Emits for instances, of which the log remembers the events because they have had a client. @returns the id before */
async function remember ({ server, client, port }: Parts, count: number, events: number, bytes: number): Promise<string> {
  await client.call('sockets', { port, connections: count, instances: instances(count), auth: {} })
  const headers = { apikey: KEY, accept: 'application/json' }
  const page = await (await fetch(`http://127.0.0.1:${port}/instance/instance-0/events?limit=1`, { headers })).json() as { lastEventId: string }
  await client.call('end', null)
  await server.call('emit', { instances: named(count), events, bytes })
  return page.lastEventId
}

/** Each client of its own instance, so that nothing is shared. */
const ATTACKS: readonly Attack[] = [
  {
    name: 'pages that are not read, 450 asked for at once on each connection',
    connections: 50,
    boundedBy: 'one page a connection, queuedBytesTotal',
    prepare: async parts => await remember(parts, 50, 10, 100 * KB),
    run: async ({ client, port }, after) => {
      await client.call('http', { port, connections: 50, requests: 450, path: `/instance/INSTANCE/events?limit=1000&after=${after}`, accept: 'application/json' })
    }
  },
  {
    name: 'streams that are not read, small events',
    connections: 300,
    boundedBy: 'queuedBytes, queuedBytesTotal',
    run: async ({ server, client, port }) => {
      await client.call('http', { port, connections: 300, requests: 1, path: '/instance/INSTANCE/events', accept: 'text/event-stream' })
      await server.call('emit', { instances: named(300), events: 80, bytes: 60 * KB })
    }
  },
  {
    name: 'sockets that are not read, small events',
    connections: 300,
    boundedBy: 'queuedBytes, queuedBytesTotal',
    run: async ({ server, client, port }) => {
      await client.call('sockets', { port, connections: 300, instances: instances(300), auth: {} })
      await server.call('emit', { instances: named(300), events: 80, bytes: 60 * KB })
    }
  },
  {
    name: 'sockets that are not read, events of 12 MB',
    connections: 60,
    boundedBy: 'queuedBytesMax, queuedBytesTotal',
    run: async ({ server, client, port }) => {
      await client.call('sockets', { port, connections: 60, instances: instances(60), auth: {} })
      await server.call('emit', { instances: named(60), events: 2, bytes: 12 * MB })
    }
  },
  {
    name: 'polls that are not read, events of 4 MB',
    connections: 100,
    boundedBy: 'queuedBytesMax, queuedBytesTotal',
    run: async ({ server, client, port }) => {
      await client.call('polls', { port, connections: 100, instances: instances(100) })
      await server.call('emit', { instances: named(100), events: 2, bytes: 4 * MB })
    }
  },
  {
    name: 'replays of events of 4 MB that are not read',
    connections: 60,
    boundedBy: 'a page a client, queuedBytesTotal',
    prepare: async parts => await remember(parts, 4, 2, 4 * MB),
    run: async ({ client, port }, after) => {
      await client.call('sockets', { port, connections: 60, instances: instances(4), auth: { lastEventId: after } })
    }
  },
  {
    name: 'refusals that are not read',
    connections: 20,
    boundedBy: 'namespacesPerConnection, inboundPerSecond',
    run: async ({ client, port }) => {
      await client.call('send', { port, connections: 20, join: null, text: '40/nobody-NUMBER,{"apikey":"no"}', times: 20_000 })
    }
  },
  {
    name: 'acknowledgements that are not read',
    connections: 20,
    boundedBy: 'inboundPerSecond',
    run: async ({ client, port }) => {
      await client.call('send', { port, connections: 20, join: '/acme', text: '42/acme,NUMBER["subscribe",{}]', times: 20_000 })
    }
  },
  {
    name: 'connections in 256 namespaces each',
    connections: 20,
    boundedBy: 'namespacesPerConnection',
    run: async ({ client, port }) => { await client.call('namespaces', { port, connections: 20, each: 256 }) }
  },
  {
    name: 'filters of 5,000 instances each, at the root',
    connections: 20,
    boundedBy: 'inboundBytes',
    run: async ({ client, port }) => {
      await client.call('sockets', { port, connections: 20, instances: ['/'], auth: { instances: Array.from({ length: 5000 }, (_, at) => `i${at}`) } })
    }
  },
  {
    name: 'connections that do nothing',
    connections: 1000,
    boundedBy: 'connections',
    run: async ({ client, port }) => { await client.call('sockets', { port, connections: 1000, instances: ['/acme'], auth: {} }) }
  },
  {
    name: 'names of instances: an event for each of 20,000',
    connections: 0,
    boundedBy: 'instances, retention',
    run: async ({ server }) => { await server.call('emit', { instances: named(20_000), events: 1, bytes: 100 }) }
  }
]

interface Found {
  /** Without what the log remembers. */
  readonly held: number
  readonly log: number
  readonly rss: number
  readonly left: number
}

/** What clients can make a server hold that has the default limits. */
export async function greed ({ progress }: Context): Promise<Report> {
  const found = new Map<Attack, Found>()
  for (const attack of ATTACKS) {
    progress(attack.name)
    found.set(attack, await measure(attack))
  }
  return {
    tables: [{
      title: 'What a server with default limits is made to hold',
      columns: ['by', 'connections', 'left after it', 'held MB, without the log', 'kB a connection', 'log MB', 'RSS MB', 'bounded by'],
      rows: [...found].map(([{ name, connections, boundedBy }, { held, log, rss, left }]) => [
        name, String(connections), String(left), shown(held / MB), connections === 0 ? '-' : shown(held / KB / connections), shown(log / MB), shown(rss / MB), boundedBy
      ])
    }],
    targets: [...found].map(([{ name }, { held }]) => ({ what: name, limit: MOST / MB, found: held / MB, unit: ' MB' })),
    figures: [...found].map(([{ name, connections }, figures]) => ({ name, connections, ...figures }))
  }
}

async function measure ({ prepare, run }: Attack): Promise<Found> {
  const server = new Child<GreedServerApi>('lib/greed-server.ts', ['--expose-gc'])
  const client = new Child<GreedClientApi>('lib/greed-client.ts')
  try {
    const port = await server.call('start', null)
    const parts = { server, client, port }
    const id = await prepare?.(parts) ?? ''
    const before = await server.call('memory', null)
    const logBefore = await server.call('logBytes', null)
    await run(parts, id)
    await sleep(SETTLED)
    const left = await server.call('connections', null)
    const after = await server.call('memory', null)
    const log = await server.call('logBytes', null) - logBefore
    return { held: after.held - before.held - log, log, rss: after.rss - before.rss, left }
  } finally {
    await Promise.all([server.end(), client.end()])
  }
}
