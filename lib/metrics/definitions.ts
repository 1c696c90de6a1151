import type { ErrorName } from '../errors.js'
import type { Queues } from '../gateway/queues.js'
import type { Stats } from '../types.js'
import type { Traffic } from './traffic.js'

/** The values from which the metrics are calculated at a scrape. */
export interface Reading {
  readonly stats: Stats
  readonly queues: Queues
  readonly traffic: Traffic
}

/** A value, or one value for each value of the label. */
type Values = number | Iterable<readonly [label: string, value: number]>

/** A metric that is calculated at each scrape. */
export interface Definition {
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly label?: string
  /** How the values of a Node cluster's processes are combined; left out: their sum. */
  readonly aggregator?: 'min' | 'max'
  readonly read: (reading: Reading) => Values
}

// Errors with a time series from the start. Prometheus' `rate` only sees an increase of a series that existed before
// it.
const REFUSALS: readonly ErrorName[] = [
  'UNAUTHORIZED',
  'FORBIDDEN',
  'ORIGIN_NOT_ALLOWED',
  'GLOBAL_DISABLED',
  'NOT_SET',
  'INSTANCE_DISABLED',
  'INVALID_NAME',
  'INVALID_FILTER',
  'LIMIT_REACHED',
  'VERIFY_FAILED',
  'STORE_UNAVAILABLE',
  'CLOSED'
]
const REJECTIONS: readonly string[] = [
  'INVALID_NAME',
  'UNKNOWN_EVENT',
  'INVALID_DATA',
  'NOT_SERIALIZABLE',
  'MESSAGE_TOO_LARGE',
  'STORE_UNAVAILABLE',
  'PENDING_FULL',
  'CLOSED',
  'other'
]

const withZeros = (labels: readonly string[], counts: Iterable<readonly [string, number]>): Values =>
  new Map([...labels.map(label => [label, 0] as const), ...counts])

/** Every metric except the histograms. Names and units follow https://prometheus.io/docs/practices/naming/ */
export const definitions: readonly Definition[] = [
  {
    name: 'ws_events_emitted_total',
    type: 'counter',
    label: 'event',
    help: 'Accepted calls of emit.',
    read: ({ traffic }) => traffic.emittedByEvent
  },
  {
    name: 'ws_events_rejected_total',
    type: 'counter',
    label: 'code',
    help: 'Rejected calls of emit.',
    read: ({ traffic }) => withZeros(REJECTIONS, traffic.rejectedByCode)
  },
  {
    name: 'ws_events_skipped_total',
    type: 'counter',
    label: 'reason',
    help: 'Accepted calls of emit that did not go to the namespace of their instance.',
    read: ({ stats }) => Object.entries(stats.emit.skipped)
  },
  {
    name: 'ws_events_published_total',
    type: 'counter',
    help: 'Events that came over HTTP and were accepted.',
    read: ({ stats }) => stats.publish.accepted
  },
  {
    name: 'ws_events_publish_repeated_total',
    type: 'counter',
    help: 'Requests and webhooks that were answered as the first time.',
    read: ({ stats }) => stats.publish.repeated
  },
  {
    name: 'ws_events_webhooks_skipped_total',
    type: 'counter',
    label: 'reason',
    help: 'Webhooks of Evolution of which there was nothing to emit.',
    read: ({ stats }) => Object.entries(stats.publish.skipped)
  },
  {
    name: 'ws_events_delivered_total',
    type: 'counter',
    label: 'event',
    help: 'Messages handed to connections of clients, replayed ones too.',
    read: ({ traffic }) => traffic.deliveredByEvent
  },
  {
    name: 'ws_events_replayed_total',
    type: 'counter',
    help: 'Messages of the past handed to clients that came back.',
    read: ({ stats }) => stats.delivery.replayed
  },
  {
    name: 'ws_events_resumed_total',
    type: 'counter',
    label: 'outcome',
    help: 'Clients that came with an id to resume from, or were told of a gap while connected.',
    read: ({ stats }) => Object.entries(stats.delivery.resumed)
  },
  {
    name: 'ws_events_admitted_total',
    type: 'counter',
    help: 'Clients that were let in.',
    read: ({ stats }) => stats.clients.admitted
  },
  {
    name: 'ws_events_refused_total',
    type: 'counter',
    label: 'code',
    help: 'Clients that were refused or disconnected.',
    read: ({ stats }) => withZeros(REFUSALS, Object.entries(stats.clients.refused))
  },
  {
    name: 'ws_events_limited_total',
    type: 'counter',
    label: 'limit',
    help: 'Times that a limit was reached.',
    read: ({ stats }) => Object.entries(stats.limits)
  },
  {
    name: 'ws_events_slow_closes_total',
    type: 'counter',
    help: 'Connections ended because too much waited for them.',
    read: ({ stats }) => stats.delivery.slowConsumers
  },
  {
    name: 'ws_events_received_total',
    type: 'counter',
    label: 'outcome',
    help: 'Messages that clients sent.',
    read: ({ stats }) => [['handled', stats.clients.received.handled], ['dropped', stats.clients.received.dropped]]
  },
  {
    name: 'ws_events_clients',
    type: 'gauge',
    label: 'namespace',
    help: 'Clients in namespaces of the plugin.',
    read: ({ stats }) => [['root', stats.clients.atRoot], ['instance', stats.clients.inInstances]]
  },
  {
    name: 'ws_events_connections',
    type: 'gauge',
    help: 'Connections that carry a client.',
    read: ({ stats }) => stats.clients.connections
  },
  {
    name: 'ws_events_namespaces',
    type: 'gauge',
    help: 'Namespaces of instances.',
    read: ({ stats }) => stats.clients.namespaces
  },
  {
    name: 'ws_events_queue_bytes',
    type: 'gauge',
    help: 'Bytes that wait for all connections together.',
    read: ({ queues }) => queues.bytes
  },
  {
    name: 'ws_events_queue_max_bytes',
    type: 'gauge',
    aggregator: 'max',
    help: 'Bytes that wait for the connection for which the most waits.',
    read: ({ queues }) => queues.most
  },
  {
    name: 'ws_events_log_streams',
    type: 'gauge',
    help: 'Streams that are remembered.',
    read: ({ stats }) => stats.log.streams
  },
  {
    name: 'ws_events_log_records',
    type: 'gauge',
    help: 'Events that are remembered.',
    read: ({ stats }) => stats.log.records
  },
  {
    name: 'ws_events_log_bytes',
    type: 'gauge',
    help: 'Bytes of the events that are remembered.',
    read: ({ stats }) => stats.log.bytes
  },
  {
    name: 'ws_events_store_available',
    type: 'gauge',
    aggregator: 'min',
    help: 'Whether the store answers: 1 or 0.',
    read: ({ stats }) => stats.store.available ? 1 : 0
  },
  {
    name: 'ws_events_store_pending_events',
    type: 'gauge',
    help: 'Events that wait for the store.',
    read: ({ stats }) => stats.store.pendingEvents
  },
  {
    name: 'ws_events_store_pending_bytes',
    type: 'gauge',
    help: 'Bytes of the events that wait for the store.',
    read: ({ stats }) => stats.store.pendingBytes
  }
]
