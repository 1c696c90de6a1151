import wsEvents, { type WsEvents } from 'fastify-ws-events'
import type { EventLog } from 'fastify-ws-events/stores'
import { Registry } from 'prom-client'
import { storeOf } from '../lib/log-stores.js'
import { inTurn, namesOf } from '../lib/instances.js'
import { EVENT, SENDER } from '../lib/payload.js'
import { listen, makeFastify } from './http.js'
import type { Peer, PeerOptions } from './peer.js'

export interface OurPeer extends Peer {
  readonly wsEvents: WsEvents
  /** That the plugin uses. */
  readonly log: EventLog
  /** The metrics as text. */
  readonly scrape: () => Promise<string>
}

export async function startOurs ({ global, log: choice, metrics = false, stockResume = false, instances }: PeerOptions): Promise<OurPeer> {
  const fastify = makeFastify()
  const store = storeOf(choice)
  let log: EventLog | undefined
  const registry = new Registry()
  const scrape = async (): Promise<string> => await registry.metrics()
  if (metrics) fastify.get('/metrics', scrape)
  await fastify.register(wsEvents, {
    env: false,
    globalEvents: global,
    stockResume: stockResume && 'browsers',
    retention: choice?.retention ?? {},
    ...(metrics && { metrics: { registry } }),
    store: {
      ...store,
      async open (options) {
        const opened = await store.open(options)
        log = opened.log
        return opened
      }
    }
  })
  const port = await listen(fastify)
  const names = namesOf(instances)
  for (const name of names) await fastify.wsEvents.set(name, { enabled: true })
  const next = inTurn(names)
  if (log === undefined) throw new Error('the plugin has opened no log')
  const options = { sender: SENDER }
  return {
    port,
    wsEvents: fastify.wsEvents,
    log,
    scrape,
    emit: data => fastify.wsEvents.emit(next(), EVENT, data, options),
    connections: () => fastify.wsEvents.stats().clients.connections
  }
}
