import type { IncomingHttpHeaders } from 'node:http'
import type { AsyncApiDocument, AsyncApiInfo } from './asyncapi/document.js'
import type { EventDefinitions } from './events/catalogue.js'
import type { EventSchema, SchemaData } from './events/schema-type.js'
import type { ClientSocket, SocketIOOption } from './gateway/socketio/option.js'
import type { LogStats, Retention } from './log/event-log.js'
import type { HostConfigs, Store } from './stores/store.js'

/**
 * The application's own events and the types of their data. The interface is open: an application declares its events
 * by hand or from the catalogue that it registers, and the compiler then checks each call of `emit`. While the
 * interface
 * is empty, any name and any data compile.
 *
 * @example
 * import 'fastify-ws-events'
 * declare module 'fastify-ws-events' {
 *   interface EventTypes { 'order.paid': { id: string } }
 * }
 * @example
 * import { evolutionEvents, Type, type EventTypesOf } from 'fastify-ws-events'
 * const events = { ...evolutionEvents, 'order.paid': Type.Object({ id: Type.String() }) }
 * declare module 'fastify-ws-events' {
 *   interface EventTypes extends EventTypesOf<typeof events> {}
 * }
 */
// Empty on purpose: the application adds its events by declaration merging.
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface EventTypes {}

/**
 * The data types of a catalogue. A TypeBox schema (`@sinclair/typebox` or `typebox`) gives its static type; `true` and
 * a plain JSON Schema give `unknown`.
 */
export type EventTypesOf<Definitions> = {
  [Name in keyof Definitions]: SchemaData<Definitions[Name]>
}

/** The constant spelling of a dotted event name: `messages.upsert` becomes `MESSAGES_UPSERT`. */
export type ConstantName<Name extends string> =
  Name extends `${infer Start}.${infer Rest}` ? `${ConstantName<Start>}_${ConstantName<Rest>}`
    : Name extends `${infer Start}-${infer Rest}` ? `${ConstantName<Start>}_${ConstantName<Rest>}`
      : Uppercase<Name>

/** The dotted names that {@link EventTypes} declares; `never` while `EventTypes` is empty. */
export type DeclaredName = keyof EventTypes & string
/**
 * The other spellings of a dotted name: the constant spelling, and the alias that Evolution's clients use for one
 * event.
 */
export type SpellingOf<Name extends string> =
  ConstantName<Name> | (Name extends 'groups.update' ? 'GROUP_UPDATE' : never)

/** An event name for `emit`: a declared name in either spelling, or any string while no event is declared. */
export type EventName = [DeclaredName] extends [never] ? string : DeclaredName | SpellingOf<DeclaredName>

/** The type of the data of the event `Name`. */
export type EventData<Name extends EventName> =
  [DeclaredName] extends [never] ? unknown
    : {
        [Declared in DeclaredName]: Name extends Declared | SpellingOf<Declared> ? EventTypes[Declared] : never
      }[DeclaredName]

/**
 * `disabled`: nothing is served. `traditional`: each instance has its own namespace. `global`: the root namespace also
 * has the events of all instances.
 */
export type Mode = 'disabled' | 'traditional' | 'global'

/** The config of an instance: whether it is served, and which events its clients get. */
export interface InstanceConfig {
  /** The instance's name. */
  instance: string
  /** Whether its namespace is served. */
  enabled: boolean
  /**
   * The events that clients of the instance get, as `MESSAGES_UPSERT`. Empty only when every stored name has left the
   * catalogue.
   */
  events: string[]
}

/** The config that `set` takes. */
export interface InstanceConfigInput {
  /** Whether the instance's namespace is served. */
  enabled: boolean
  /**
   * The events that clients of the instance get, in either spelling. An empty list means all events, including those of
   * a later catalogue. If it is left out, or empty with `enabled: false`, the stored list is kept; if none is stored,
   * it is all events.
   */
  events?: readonly string[] | undefined
}

/** The reason why an event was not sent to the namespace of its own instance. */
export type SkipReason = 'disabled' | 'not-set' | 'instance-disabled' | 'filtered' | 'host-namespace'

/**
 * The reason why an Evolution webhook was not emitted. `unknown-event`: its event is not in the catalogue.
 * `invalid-name`: its instance has a name that cannot be served. `removed`: it is older than the removal of its
 * instance.
 */
export type WebhookSkip = 'unknown-event' | 'invalid-name' | 'removed'

/** The result of an `emit`. */
export interface EmitResult {
  /** The message's id; `null` when nothing stores the event, so that no client gets it. */
  id: string | null
  /** The namespaces that the event was sent to, such as `['/', '/acme']`, whether or not they have clients. */
  routes: string[]
  /** The reason why the instance's own namespace is not in `routes`. */
  skipped?: SkipReason
}

/** Options of `emit`. */
export interface EmitOptions {
  /**
   * The sender, such as a WhatsApp JID.
   * @default null
   */
  sender?: string | null | undefined
  /**
   * The time of the event. The message has it as ISO 8601 in UTC.
   * @default now
   */
  dateTime?: Date | string | number | undefined
  /**
   * The instance's key, which becomes part of the message. Every client that gets the message can read it.
   * @default none
   */
  apikey?: string | undefined
  /** Additional keys of the message. They cannot replace the keys that every message has. */
  extra?: Readonly<Record<string, unknown>> | undefined
}

/** The argument that a Socket.IO event carries to a client. */
export interface Message<Data = unknown> {
  /** Opaque id of the message. Ids sort by time when compared as strings. */
  id: string
  /** The dotted event name, which is also the name of the Socket.IO event. */
  event: string
  /** The instance that the event belongs to. */
  instance: string
  /** The data that was given to `emit`. */
  data: Data
  /** The value of the option `serverUrl`. */
  server_url: string | null
  /** The time of the event, ISO 8601 in UTC. */
  date_time: string
  /** The sender; `null` if `emit` was given none. */
  sender: string | null
  /** The instance's key. Present only if `emit` was given one. */
  apikey?: string
}

/**
 * The content of the event `ws.ready`. A client that gives `auth.lastEventId` gets it first after each connect, and
 * again, with `recovered: false`, if the store loses events while the client is connected.
 */
export interface Ready {
  /** The name of the instance; `null` at the root. */
  instance: string | null
  /** The server's mode. */
  mode: Mode
  /** Whether the instance is enabled; always `true` at the root. */
  enabled: boolean
  /**
   * `true`: all events after the given id follow, and then live events. `false`: some of these events are lost; nothing
   * is replayed, and the client must reload its state. `null`: the client gave no id, and gets the events that are
   * published from now on.
   */
  recovered: boolean | null
  /** The id that the client gave if `recovered` is `true`; otherwise the newest id. */
  lastEventId: string
}

/**
 * The content of the event `ws.position`: sent to a client that gave `auth.lastEventId` when it has had no event for a
 * while.
 */
export interface Position {
  /** The client has received everything up to this id. */
  lastEventId: string
}

/** A refusal, as a client finds it in `data` of the error of `connect_error`. */
export interface Refusal {
  /** The error code: `FST_ERR_WS_EVENTS_…`. */
  readonly code: string
  /** The HTTP status of that error. */
  readonly statusCode: number
  /** What is wrong and what to do, in English. */
  readonly message: string
  /** Whether the same request may succeed later. */
  readonly retry: boolean
}

/** A client that is connected to this node. */
export interface ClientInfo {
  /** The name of the instance; `null` at the root. */
  instance: string | null
  /** The client's address, as `trustProxy` resolves it; `null` where there is none (a Unix socket). */
  address: string | null
  /** When the client connected to the namespace. */
  since: Date
  /** The dotted names of the events in the client's filter. Of these, the client gets those that its instance sends. */
  events: string[]
  /** The instances in the client's filter; `null`: all. Only at the root. */
  instances?: string[] | null
  /** Bytes that are queued for this client's connection in this process. */
  queuedBytes: number
}

/** Which clients `disconnect` ends. At least one of the two members is required. */
export interface DisconnectTarget {
  /** Disconnect the clients in this instance's namespace. */
  instance?: string | undefined
  /** Disconnect the clients that authenticated with this key. With `instance`: only those in that namespace. */
  apikey?: string | undefined
}

/** The argument of a handler. */
export interface HandlerRequest<Data = unknown> {
  /** The instance of the namespace that the client is connected to, regardless of the data; `null` at the root. */
  instance: string | null
  /** The argument that the client sent; `undefined` if it sent none. */
  data: Data
  /** The socket of the client that sent the message. */
  socket: ClientSocket
}

/**
 * Handles a message of a client. The acknowledgement is the return value, or what its promise resolves to; `undefined`
 * arrives as `null`. If the handler throws one of {@link errors}, that error is the acknowledgement. Any other error is
 * logged, and the client gets HANDLER_FAILED.
 */
export type Handler<Data = unknown> = (request: HandlerRequest<Data>) => unknown

/** Options of `handle`. */
export interface HandleOptions<Schema extends EventSchema | undefined = undefined> {
  /**
   * The schema of the data: a TypeBox schema (`@sinclair/typebox` or `typebox`), which also types the handler's `data`,
   * or a plain JSON Schema. `$schema` names the draft: 7 (the default), 2019-09 or 2020-12.
   * @default any data
   */
  schema?: Schema
  /** Called for each message with valid data. */
  handler: Handler<SchemaData<Schema>>
  /**
   * Milliseconds after which the client gets HANDLER_TIMEOUT; 0 is no limit.
   * @default 10000
   */
  timeout?: number | undefined
}

/** Counters of `emit`, since the start. */
export interface EmitStats {
  /** Calls that were accepted. */
  accepted: number
  /** Calls that were rejected. */
  rejected: number
  /** Accepted calls whose event was not sent to its instance's namespace, by reason. */
  skipped: Record<SkipReason, number>
}

/** Counters of publishing over HTTP, since the start. {@link EmitStats} counts the same events as well. */
export interface PublishStats {
  /** Events that were accepted. */
  accepted: number
  /**
   * Repeated requests, which got the answer of the first one. A request is a repetition if it has the same idempotency
   * key or, for Evolution webhooks, the same body.
   */
  repeated: number
  /** Evolution webhooks that were accepted without emitting an event, by reason. */
  skipped: Record<WebhookSkip, number>
}

/** Gauges of the clients that are connected now, and counters of clients since the start. */
export interface ClientStats {
  /** Clients connected now, at the root. */
  atRoot: number
  /** Clients connected now, in instances' namespaces. */
  inInstances: number
  /** Connections with at least one connected client. */
  connections: number
  /** Namespaces of instances that currently exist. */
  namespaces: number
  /** Clients admitted. */
  admitted: number
  /** Clients refused, or disconnected with an error, by the code without its prefix. */
  refused: Record<string, number>
  /** Messages from clients. */
  received: {
    /** Messages for which a handler was called. */
    handled: number
    /** Messages that have no handler, or that were refused. */
    dropped: number
  }
}

/** Counters of delivery, since the start. */
export interface DeliveryStats {
  /** Messages written to clients' connections, including replayed ones. */
  delivered: number
  /** Messages replayed to clients that resumed. */
  replayed: number
  /**
   * Attempts to resume, by outcome. Counts clients that gave `auth.lastEventId`, clients that have a `pid` by
   * `stockResume`, and all event streams over HTTP. Each connected client that is affected by a gap counts once more in
   * `gap`.
   */
  resumed: {
    /** Everything that the client had missed was replayed. */
    recovered: number
    /** Some events were lost. The client gets `ws.ready` with `recovered: false`. */
    gap: number
    /** The client gave no id. */
    fresh: number
  }
  /** Connections that were ended because too many bytes were queued for them. */
  slowConsumers: number
}

/** The state of the store, as this node sees it. A store that runs in this process is always available. */
export interface StoreStats {
  /** Whether the store answers. */
  available: boolean
  /** Events of this node that are queued for the store. */
  pendingEvents: number
  /** Bytes of the queued events. */
  pendingBytes: number
  /** Calls of `emit` that were rejected because the store failed or was unavailable for too long. */
  failures: number
}

/** Counters since the start, and gauges, of this node. Each call returns a new plain object. */
export interface Stats {
  /** Calls of `emit`. */
  emit: EmitStats
  /** Publishing over HTTP. */
  publish: PublishStats
  /** Clients, and the messages that they send. */
  clients: ClientStats
  /** Delivery of messages to clients. */
  delivery: DeliveryStats
  /** Current contents of this node's event log: streams, records and bytes. */
  log: LogStats
  /** The state of the store. */
  store: StoreStats
  /** How often each limit was reached: it refused or disconnected a client, or rejected an `emit`. */
  limits: Record<keyof Limits, number>
}

/** The request that `verify` decides about. */
export interface VerifyRequest {
  /** The key; `null` if the caller gave none. */
  apikey: string | null
  /** The name of the instance; `null` for the root. */
  instance: string | null
  /** The caller's address, as `trustProxy` resolves it; `null` where there is none (a Unix socket). */
  address: string | null
  /** The headers of the HTTP request. For a Socket.IO client: of the request that opened its connection. */
  headers: IncomingHttpHeaders
}

/** The permissions of a key. They limit what its filter can select. */
export interface VerifyGrant {
  /** The names of the instances that the key grants access to. Left out: all. */
  instances?: readonly string[] | undefined
  /** The events that the key grants access to, in either spelling; `messages.*` is allowed. Left out: all. */
  events?: readonly string[] | undefined
  /**
   * Milliseconds after which `verify` is called again for a connected client. If it then refuses the key, the client is
   * disconnected at once; if it grants less, the client gets less. Left out: never. For HTTP routes, `verify` is called
   * at each request.
   */
  ttl?: number | undefined
  /**
   * Whether the key may publish over HTTP for these instances.
   * @default false
   */
  publish?: boolean | undefined
}

/** The result of `verify`. `true` grants everything except publishing; `false` refuses the key. */
export type VerifyAnswer = boolean | VerifyGrant
/**
 * Checks a key within 10 seconds. If it throws, rejects or takes longer, the caller is refused with VERIFY_FAILED and
 * `retry: true`.
 */
export type Verify = (request: VerifyRequest) => VerifyAnswer | Promise<VerifyAnswer>

/** One global key, or several. */
export type ApiKeys = string | readonly string[]
/** Returns the global keys that are currently valid. With an empty list, no key is. */
export type ApiKeySource = () => ApiKeys | Promise<ApiKeys>

/** What a connection keeps of its handshake, the HTTP request that opened it. */
export type HandshakeRequestOption = 'release' | 'keep'

/** Which clients resume by the `pid` that Socket.IO's stock client sends. */
export type StockResumeOption = boolean | 'browsers'

/**
 * Which proxies are trusted: all of them, addresses or CIDR blocks, or a function of the proxy's address and its
 * distance in hops.
 */
export type TrustProxy = boolean | string | readonly string[] | ((address: string, hop: number) => boolean)

/** Limits; `0` is no limit. They apply to the plugin's namespaces, not to the application's own. */
export interface Limits {
  /**
   * Connections to this node.
   * @default 0
   */
  connections: number
  /**
   * Clients of one instance, or of the root, on this node.
   * @default 10000
   */
  connectionsPerInstance: number
  /**
   * Connections from one address.
   * @default 0
   */
  connectionsPerAddress: number
  /**
   * Refusals of one address within a minute. When the limit is reached, attempts from that address are refused without
   * a check until the minute is over, even those with a valid key.
   * @default 0
   */
  refusalsPerMinute: number
  /**
   * Namespaces that one connection may join. A connection that has joined none is ended after as many refusals.
   * @default 256
   */
  namespacesPerConnection: number
  /**
   * Milliseconds after which a connection that has joined no namespace is ended.
   * @default 10000
   */
  idleMs: number
  /**
   * Bytes that may be queued for one client in messages of up to 64 KiB. A client that exceeds the limit is
   * disconnected, and reconnects by itself.
   * @default 1048576
   */
  queuedBytes: number
  /**
   * Bytes that may be queued for one client in messages of more than 64 KiB, while the client reads at least 64 KiB in
   * ten seconds. A client that exceeds the limit is disconnected. One such message may always be queued.
   * @default 33554432
   */
  queuedBytesMax: number
  /**
   * Bytes that may be queued for all clients together. A message that many clients share counts once. If they are
   * exceeded, those clients are disconnected that have read nothing for the longest time.
   * @default 268435456
   */
  queuedBytesTotal: number
  /**
   * Bytes of one message to clients, including its binary parts. `emit` rejects a larger message with
   * MESSAGE_TOO_LARGE.
   * @default 33554432
   */
  messageBytes: number
  /**
   * Instance names that have a config or a history, which the server keeps after their clients have left. When the
   * limit is reached, `set`, `emit` and clients of any other name get LIMIT_REACHED.
   * @default 100000
   */
  instances: number
  /**
   * Bytes of one message from a client.
   * @default 65536
   */
  inboundBytes: number
  /**
   * Messages that one client may send in a second. A client that exceeds the limit is disconnected. The limit also
   * applies to the attempts of one connection to join a namespace, once they exceed `namespacesPerConnection`.
   * @default 50
   */
  inboundPerSecond: number
  /**
   * Events that one key may publish over HTTP in a second. Each event of a list counts. Events above the limit delay
   * the next request.
   * @default 0
   */
  publishPerSecond: number
  /**
   * Events that may be queued while the store is unavailable. Beyond that, `emit` rejects with PENDING_FULL.
   * @default 10000
   */
  pendingEvents: number
  /**
   * Bytes of the events that may be queued while the store is unavailable. Beyond that, `emit` rejects with
   * PENDING_FULL.
   * @default 67108864
   */
  pendingBytes: number
}

/**
 * The part of prom-client 15's `Registry` that this plugin uses. It is declared here so that applications without
 * prom-client compile.
 */
export interface MetricsRegistry {
  /** Adds a metric. */
  registerMetric(metric: unknown): void
  /** The metric with this name; `undefined` if there is none. */
  getSingleMetric(name: string): unknown
  /** Removes the metric with this name. */
  removeSingleMetric(name: string): void
}

/** Options of the plugin. All of them are optional. */
export interface WsEventsOptions {
  /**
   * `false`: there is no Socket.IO server. Configs can still be set and found; `emit` sends nothing, and its result has
   * the reason `disabled`. Environment: `WEBSOCKET_ENABLED`.
   * @default true
   */
  enabled?: boolean | undefined
  /**
   * Global mode: clients of the root get the events of every instance. Environment: `WEBSOCKET_GLOBAL_EVENTS`.
   * @default false
   */
  globalEvents?: boolean | undefined
  /**
   * Compatibility with the clients of Evolution API: its routes, and its behaviour at the root. `{ timeZone }` also
   * sets the IANA time zone of the Evolution API, such as `America/Sao_Paulo`. Its webhooks carry local times, which
   * are converted from that zone to UTC. Without a zone, they are not converted.
   * @default false
   */
  evolution?: boolean | {
    /** The IANA time zone of the Evolution API. */
    timeZone?: string | undefined
  } | undefined
  /**
   * The global key, a list of them, or a function that returns either. A global key grants access to the root, every
   * instance and every route. The function is called at each check, so keys can rotate without a restart. It has 10
   * seconds; while it fails, callers with a key are refused with `retry: true`. Environment: `AUTHENTICATION_API_KEY`.
   * @default none
   */
  apikey?: ApiKeys | ApiKeySource | undefined
  /**
   * The application's own check of a key. It is called for each namespace and each route, and again after the `ttl`
   * that it returned. It has 10 seconds.
   * @default none
   */
  verify?: Verify | undefined
  /**
   * A key, or several, that may publish over HTTP for every instance and grant nothing else. Environment:
   * `WEBSOCKET_PUBLISH_KEY`.
   * @default none
   */
  publishKey?: ApiKeys | undefined
  /**
   * Addresses or CIDR blocks whose clients need no key; `*`: no client needs one. Environment:
   * `WEBSOCKET_ALLOWED_HOSTS` (separated by commas).
   * @default loopback when neither `apikey` nor `verify` is set, else none
   */
  allowedHosts?: string | readonly string[] | undefined
  /**
   * Proxies that are trusted to forward the client's address, as in Fastify.
   * @default false
   */
  trustProxy?: TrustProxy | undefined
  /**
   * Origins of web pages that may connect, or `*`. Environment: `CORS_ORIGIN` (separated by commas),
   * read only with `evolution`.
   * @default none
   */
  cors?: string | readonly string[] | undefined
  /**
   * `server_url` in each message. Environment: `SERVER_URL`, read only with `evolution`.
   * @default none
   */
  serverUrl?: string | undefined
  /**
   * The store for events and configs: `memory:`, `lmdb:PATH`, `redis://…`, or a store from `fastify-ws-events/stores`.
   * With `memory:`, both are lost when the process ends. Environment: `WEBSOCKET_STORE`.
   * @default memory:
   */
  store?: string | Store | undefined
  /**
   * Functions by which the application stores configs itself. Each has 10 seconds.
   * @default the store's
   */
  configs?: HostConfigs | undefined
  /**
   * How much of each stream's history is kept: milliseconds, records and bytes.
   * @default by store
   */
  retention?: { [Bound in keyof Retention]?: Retention[Bound] | undefined } | undefined
  /**
   * The config of an instance that has none of its own.
   * @default none
   */
  defaultConfig?: InstanceConfigInput | undefined
  /**
   * Whether the application has an instance of this name. On `false`, the routes that set a config answer 404. The
   * function has 10 seconds.
   * @default none
   */
  instanceExists?: ((name: string) => boolean | Promise<boolean>) | undefined
  /**
   * The event catalogue: a list of names, or an object with the schema of each event's data (`true`: any data).
   * @default evolutionEvents
   */
  events?: EventDefinitions | undefined
  /** Limits; `0` is no limit. */
  limits?: { [Name in keyof Limits]?: Limits[Name] | undefined } | undefined
  /**
   * Options of the HTTP routes; `false`: there are none. With `publish: false` there are no routes for publishing.
   * `publish.bodyLimit` is the maximum size of a published body in bytes, at most 134217728; the default is 16777216,
   * and 134217728 for Evolution webhooks.
   * @default { prefix: '' }
   */
  routes?: false | {
    /** Prefix of the routes' paths. */
    prefix?: string | undefined
    /** Options of the routes for publishing; `false`: there are none. */
    publish?: false | {
      /** Maximum size of a request body in bytes, at most 134217728. */
      bodyLimit?: number | undefined
    } | undefined
  } | undefined
  /**
   * Options for the Socket.IO server, or the application's own `Server`.
   * @default none
   */
  socketio?: SocketIOOption | undefined
  /**
   * What a connection keeps of its handshake after the client has connected. `'keep'`: the HTTP request. `'release'`:
   * only its headers, query, URL, method and address, which `socket.request` then has under the same names. Left out:
   * `'release'` on the plugin's own server, as long as the application adds no namespace, middleware or listener to it;
   * otherwise `'keep'`.
   * @default 'release' or 'keep'
   */
  handshakeRequest?: HandshakeRequestOption | undefined
  /**
   * `false`: all bytes are written by Socket.IO. Socket.IO's outgoing listeners and its admin UI do not see what the
   * fast path writes.
   * @default true
   */
  fastPath?: boolean | undefined
  /**
   * Resume for Socket.IO's stock clients (4.6 and later). They are given a `pid`, and each event has the message's id
   * as a second argument. `'browsers'`: only clients that send an `Origin` or `Sec-Fetch-Site` header; `true`: all.
   * Clients that give `auth.lastEventId` are not affected. Environment: `WEBSOCKET_STOCK_RESUME`.
   * @default false
   */
  stockResume?: StockResumeOption | undefined
  /**
   * Milliseconds over which `close()` ends the connections, so that their clients do not all reconnect to the next node
   * at once. Clients get everything that was emitted before. Meanwhile new clients are refused, and `emit` rejects with
   * CLOSED. Environment: `WEBSOCKET_DRAIN_MS`.
   * @default 0
   */
  drainMs?: number | undefined
  /**
   * Registers metrics for Prometheus while the server runs: `{ registry }` is a `Registry` of prom-client, which must
   * be installed. Each server needs its own registry.
   * @default none
   */
  metrics?: {
    /** The registry to which the metrics are added. */
    registry: MetricsRegistry
  } | undefined
  /**
   * The environment variables to read; `false`: none.
   * @default process.env
   */
  env?: false | Readonly<Record<string, string | undefined>> | undefined
}

/** The interface of `fastify.wsEvents`. */
export interface WsEvents {
  /** The mode, which the options `enabled` and `globalEvents` decide. */
  readonly mode: Mode
  /**
   * Sends an event of an instance to the clients that have access to it. The data is read during the call. Events of
   * one instance arrive in the order of the calls, whether or not the calls are awaited.
   *
   * @param instance the instance's name
   * @param event an event of the catalogue, in either spelling: an {@link EventName}
   * @param data what clients get as `message.data`: the {@link EventData} of the event. `Buffer`s and typed arrays
   *   arrive as binary data
   * @param options further contents of the message
   * @returns the id and the routes of the event. A rejection is also logged, so the call need not be awaited
   * @throws INVALID_NAME, UNKNOWN_EVENT, INVALID_DATA, NOT_SERIALIZABLE and MESSAGE_TOO_LARGE (if the event goes to a
   *   namespace), LIMIT_REACHED, STORE_UNAVAILABLE, PENDING_FULL, CLOSED
   */
  emit<Name extends EventName>(
    instance: string,
    event: Name,
    data: EventData<Name>,
    options?: EmitOptions
  ): Promise<EmitResult>
  /**
   * Sets the config of an instance. Clients that lose access are disconnected.
   *
   * @param instance the instance's name
   * @param config whether the instance is served, and which events its clients get
   * @returns the effective config
   * @throws INVALID_NAME, INVALID_DATA, UNKNOWN_EVENT, HOST_NAMESPACE, LIMIT_REACHED, STORE_UNAVAILABLE, CLOSED
   */
  set(instance: string, config: InstanceConfigInput): Promise<InstanceConfig>
  /**
   * Finds the config of an instance.
   *
   * @param instance the instance's name
   * @returns the effective config; `null` if it was never set
   * @throws INVALID_NAME, STORE_UNAVAILABLE
   */
  find(instance: string): Promise<InstanceConfig | null>
  /**
   * Removes an instance: sends what was emitted before, disconnects its clients, and deletes its config and its
   * history.
   *
   * @param instance the instance's name
   * @returns whether a config existed
   * @throws INVALID_NAME, STORE_UNAVAILABLE, CLOSED
   */
  remove(instance: string): Promise<boolean>
  /**
   * The configs of all instances that were set, in no particular order.
   *
   * @throws STORE_UNAVAILABLE
   */
  list(): AsyncIterable<InstanceConfig>
  /**
   * Lists the clients that are connected to this node.
   *
   * @param target left out: all clients; else those of the instance's namespace
   * @param target.instance the instance's name
   * @throws INVALID_NAME
   */
  clients(target?: { instance?: string | undefined }): ClientInfo[]
  /**
   * Disconnects clients. A stock client then reconnects only when its application calls `connect()`. Works at once on
   * this node, and on all nodes that share the store.
   *
   * @param target the clients of an instance's namespace, the clients of a key, or those that match both
   * @throws INVALID_DATA when neither an instance nor a key is given, INVALID_NAME; STORE_UNAVAILABLE when the other
   *   nodes could not be notified
   */
  disconnect(target: DisconnectTarget): Promise<void>
  /**
   * Adds a handler for an event that clients send. In an instance's namespace every client may send it; at the root
   * only clients with the global key may. The acknowledgement is the handler's return value, or `{ code, statusCode,
   * message, retry }` for UNAUTHORIZED, FORBIDDEN, INVALID_DATA, NOT_SERIALIZABLE, HANDLER_FAILED, HANDLER_TIMEOUT. A
   * client that asks for no acknowledgement gets no answer.
   *
   * @param event any valid event name, in the catalogue or not
   * @param options the handler, the schema of the data, and the timeout
   * @throws INVALID_OPTION for an invalid name, a name that already has a handler, and invalid options
   */
  handle<Schema extends EventSchema | undefined = undefined>(event: string, options: HandleOptions<Schema>): void
  /** Counters since the start, and gauges, of this node. */
  stats(): Stats
  /**
   * Describes the server as an AsyncAPI 3.0.0 document: the events, the messages that clients may send, how clients
   * resume and how they authenticate. It covers the catalogue and the handlers at the time of the call.
   *
   * @param info title, version and description of the document; the plugin has a default for each
   * @returns plain JSON, a new object at each call
   */
  asyncapi(info?: Partial<AsyncApiInfo>): AsyncApiDocument
}

declare module 'fastify' {
  interface FastifyInstance {
    wsEvents: WsEvents
  }
}
