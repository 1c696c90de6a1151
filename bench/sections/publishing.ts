import { WebSocket } from 'ws'
import type { ClientsApi } from '../clients.js'
import { Child } from '../lib/children.js'
import { alternate, type Context } from '../lib/context.js'
import { Nchan, withoutNchan } from '../lib/nchan.js'
import { INSTANCE } from '../lib/payload.js'
import type { PublisherApi } from '../lib/publisher.js'
import type { PublishServerApi } from '../lib/publish-server.js'
import { type Report, shown } from '../lib/report.js'
import { median, medianRatio } from '../lib/statistics.js'

const BYTES = 300
const LIST = 100
/** Requests on their way: a publisher that waits for each answer would measure its own round trip. */
const PIPELINED = 4
const MIN_RATE = 60_000
const MAX_OF_EMIT = 1.5
const MAX_OF_BARE = 1.3

const ways = ['emit', 'list', 'bare', 'single', 'nchan'] as const
type Way = typeof ways[number]

const titles: Readonly<Record<Way, string>> = {
  emit: 'emit in the process',
  list: `POST /instance/:name/events, lists of ${LIST}`,
  bare: 'a bare Fastify route that emits, singly',
  single: 'POST /instance/:name/events, singly',
  nchan: 'nchan\'s publisher, singly'
}

interface Round {
  readonly perSecond: number
  /** µs of the server's process. */
  readonly cpu: number
}

/** What publishing over HTTP costs beside `emit`: memory store, one client that gets all. */
export async function publishing ({ quick, runs, progress }: Context): Promise<Report> {
  const events = quick ? 20_000 : 100_000
  const measured = await alternate(withoutNchan === null ? ways : ways.filter(way => way !== 'nchan'), runs, async (way, run) => {
    progress(`publishing, run ${run + 1}: ${titles[way]}`)
    return way === 'nchan' ? await measureNchan(events / 2) : await measure(way, way === 'emit' || way === 'list' ? events : events / 2)
  })
  if (withoutNchan !== null) progress(withoutNchan)
  const of = (way: Way, figure: (round: Round) => number): number[] => (measured.get(way) ?? []).map(figure)
  const cpu = (way: Way): number[] => of(way, round => round.cpu)
  return {
    tables: [{
      title: `Publishing over HTTP, ${BYTES / 1000} kB, one connection, one client`,
      columns: ['', 'events/s', 'CPU µs an event', 'of emit\'s', 'of the bare route\'s'],
      rows: [...measured.keys()].map(way => [
        titles[way],
        shown(median(of(way, ({ perSecond }) => perSecond))),
        shown(median(cpu(way))),
        shown(medianRatio(cpu(way), cpu('emit'))),
        shown(medianRatio(cpu(way), cpu('bare')))
      ])
    }],
    targets: [
      { what: `${titles.list}: events a second`, limit: MIN_RATE, found: median(of('list', ({ perSecond }) => perSecond)), unit: '', isLeast: true },
      { what: `${titles.list}: of the CPU of emit`, limit: MAX_OF_EMIT, found: medianRatio(cpu('list'), cpu('emit')), unit: '' },
      { what: `${titles.single}: of the CPU of a bare route`, limit: MAX_OF_BARE, found: medianRatio(cpu('single'), cpu('bare')), unit: '' }
    ],
    figures: { bytes: BYTES, list: LIST, pipelined: PIPELINED, events, runs: Object.fromEntries(measured) }
  }
}

async function measure (way: Exclude<Way, 'nchan'>, events: number): Promise<Round> {
  const server = new Child<PublishServerApi>('lib/publish-server.ts')
  const publisher = new Child<PublisherApi>('lib/publisher.ts')
  const clients = new Child<ClientsApi>('clients.ts')
  try {
    const ports = await server.call('start', null)
    await clients.call('connect', { ...ports, groups: [{ count: 1, namespace: `/${INSTANCE},` }], timeEvery: 0 })
    const path = way === 'bare' ? '/bare' : `/instance/${INSTANCE}/events`
    const publish = async (count: number): Promise<number> => {
      if (way !== 'emit') return await publisher.call('publish', { port: ports.port, path, events: count, list: way === 'list' ? LIST : 1, bytes: BYTES, pipelined: PIPELINED })
      const began = performance.now()
      await server.call('emit', { events: count, bytes: BYTES })
      return (performance.now() - began) / 1000
    }
    await clients.call('expect', { deliveries: Number.MAX_SAFE_INTEGER })
    // It warms up.
    await publish(events / 4)
    const before = await server.call('cpu', null)
    const seconds = await publish(events)
    const cpu = await server.call('cpu', null) - before
    return { perSecond: events / seconds, cpu: cpu / events }
  } finally {
    await Promise.all([server.end(), publisher.end(), clients.end()])
  }
}

async function measureNchan (events: number): Promise<Round> {
  const nchan = new Nchan()
  const publisher = new Child<PublisherApi>('lib/publisher.ts')
  try {
    await nchan.start()
    const socket = new WebSocket(`ws://127.0.0.1:${nchan.port}/sub`)
    await new Promise(resolve => { socket.once('open', resolve) })
    const publish = async (count: number): Promise<number> =>
      await publisher.call('publish', { port: nchan.port, path: '/pub', events: count, list: 1, bytes: BYTES, pipelined: PIPELINED })
    await publish(events / 4)
    const before = nchan.cpu()
    const seconds = await publish(events)
    const cpu = nchan.cpu() - before
    socket.terminate()
    return { perSecond: events / seconds, cpu: cpu / events }
  } finally {
    await Promise.all([publisher.end(), nchan.end()])
  }
}
