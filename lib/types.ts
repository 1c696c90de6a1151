import type { IncomingHttpHeaders } from 'node:http'
import type { AsyncApiDocument, AsyncApiInfo } from './asyncapi/document.js'
import type { EventDefinitions } from './events/catalogue.js'
import type { EventSchema, SchemaData } from './events/schema-type.js'
import type { ClientSocket, SocketIOOption } from './gateway/socketio/option.js'
import type { LogStats, Retention } from './log/event-log.js'
import type { HostConfigs, Store } from './stores/store.js'

/**
 * The host's own events and the types of their data. Open, so that a host declares its own, by hand or from the
 * catalogue that it registers; `emit` is then checked by the compiler. Left empty, any name and any data compile.
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
// Open on purpose: the host fills it by declaration merging.
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface EventTypes {}

/**
 * The data types of a catalogue: of each schema of TypeBox (`@sinclair/typebox` or `typebox`) its static type,
 * `unknown` for `true` and plain JSON Schema.
 */
export type EventTypesOf<Definitions> = {
  [Name in keyof Definitions]: SchemaData<Definitions[Name]>
}

/** The constant spelling of an event's dotted name: `messages.upsert` is `MESSAGES_UPSERT`. */
export type ConstantName<Name extends string> =
  Name extends `${infer Start}.${infer Rest}` ? `${ConstantName<Start>}_${ConstantName<Rest>}`
    : Name extends `${infer Start}-${infer Rest}` ? `${ConstantName<Start>}_${ConstantName<Rest>}`
      : Uppercase<Name>

/** The dotted names that {@link EventTypes} declares; `never` while it is empty. */
export type DeclaredName = keyof EventTypes & string
/**
 * The other spellings of a dotted name: the constant one, and the alias that Evolution's clients use for one event.
 */
export type SpellingOf<Name extends string> =
  ConstantName<Name> | (Name extends 'groups.update' ? 'GROUP_UPDATE' : never)

/** What `emit` takes as an event's name: a declared one in either spelling, or any string while none is declared. */
export type EventName = [DeclaredName] extends [never] ? string : DeclaredName | SpellingOf<DeclaredName>

/** The data that an event of this name carries. */
export type EventData<Name extends EventName> =
  [DeclaredName] extends [never] ? unknown
    : {
        [Declared in DeclaredName]: Name extends Declared | SpellingOf<Declared> ? EventTypes[Declared] : never
      }[DeclaredName]

/** How the plugin serves: not at all, each instance in its own namespace, or all of them at the root besides. */
export type Mode = 'disabled' | 'traditional' | 'global'

/** What an instance's clients get. */
export interface InstanceConfig {
  /** The instance's name. */
  instance: string
  /** Whether its namespace is served. */
  enabled: boolean
  /**
   * The events that it sends, in the spelling `MESSAGES_UPSERT`. Never empty unless none of
   * the stored names is known any more.
   */
  events: string[]
}

/** What `set` takes. */
export interface InstanceConfigInput {
  /** Whether the instance's namespace is served. */
  enabled: boolean
  /**
   * The events that it sends, in either spelling. Empty: all, those of a later catalogue too. Left out, or empty with
   * `enabled: false`: the stored list stays; where none is stored, all.
   */
  events?: readonly string[] | undefined
}

/** Why an event does not go to the namespace of its own instance. */
export type SkipReason = 'disabled' | 'not-set' | 'instance-disabled' | 'filtered' | 'host-namespace'

/**
 * Why a webhook of Evolution was not emitted: its event is not in the catalogue, its instance has a name that cannot be
 * served, or it is older than the removal of its instance.
 */
export type WebhookSkip = 'unknown-event' | 'invalid-name' | 'removed'

/** What became of an `emit`. */
export interface EmitResult {
  /** The message's id; `null` when nothing stores the event, so that no client gets it. */
  id: string | null
  /** The namespaces that are entitled to the event, with clients or without, such as `['/', '/acme']`. */
  routes: string[]
  /** Why the instance's own namespace is not among them. */
  skipped?: SkipReason
}

/** Options of `emit`. */
export interface EmitOptions {
  /**
   * Who sent it, such as a WhatsApp JID.
   * @default null
   */
  sender?: string | null | undefined
  /**
   * The instant of the event; in the message it is ISO 8601 in UTC.
   * @default now
   */
  dateTime?: Date | string | number | undefined
  /**
   * The instance's key, to be part of the message. Everybody who gets the message can read it.
   * @default none
   */
  apikey?: string | undefined
  /** More keys for the message. Those that every message has win. */
  extra?: Readonly<Record<string, unknown>> | undefined
}

/** The one argument of every event. */
export interface Message<Data = unknown> {
  /** Opaque; as strings ids sort by time. */
  id: string
  /** The dotted name, as of the Socket.IO event. */
  event: string
  /** The instance that the event is of. */
  instance: string
  /** What `emit` was given. */
  data: Data
  /** The option `serverUrl`. */
  server_url: string | null
  /** ISO 8601, UTC. */
  date_time: string
  /** Who sent it; `null` if `emit` was not told. */
  sender: string | null
  /** Only if `emit` was given one. */
  apikey?: string
}

/**
 * What a client that gives `auth.lastEventId` is told first, as the event `ws.ready`. It is told again, with `false`,
 * when the store loses events while it is connected.
 */
export interface Ready {
  /** `null` at the root. */
  instance: string | null
  /** The server's mode. */
  mode: Mode
  /** Whether the instance is enabled; always `true` at the root. */
  enabled: boolean
  /**
   * `true`: all events after the id that it gave follow, and then live ones. `false`: some of these events are lost.
   * Nothing is replayed, and the client must load its state anew. `null`: it gave no id, and gets what is published
   * from now on.
   */
  recovered: boolean | null
  /** The id that it gave if `recovered` is `true`, else the newest. */
  lastEventId: string
}

/**
 * The content of the event `ws.position`, for a client that gave `auth.lastEventId` and has had no event for a while.
 */
export interface Position {
  /** The client has received everything up to this id. */
  lastEventId: string
}

/** A refusal as the client gets it, in `data` of its `connect_error`. */
export interface Refusal {
  /** Of an error of this package: `FST_ERR_WS_EVENTS_…`. */
  readonly code: string
  /** The HTTP status of that error. */
  readonly statusCode: number
  /** What is wrong and what to do, in English. */
  readonly message: string
  /** Whether a later try may succeed. */
  readonly retry: boolean
}

/** A client that is connected to this node. */
export interface ClientInfo {
  /** `null` at the root. */
  instance: string | null
  /** The client's address, as `trustProxy` resolves it; `null` where there is none (a Unix socket). */
  address: string | null
  /** When it connected to the namespace. */
  since: Date
  /** The dotted names of the events that it gets, if its instance sends them. */
  events: string[]
  /** The instances that it gets events of, `null` for all; only at the root. */
  instances?: string[] | null
  /** Bytes that wait for this client's connection in this process. */
  queuedBytes: number
}

/** Which clients to disconnect. At least one of the members is needed. */
export interface DisconnectTarget {
  /** End the clients of this instance's namespace. */
  instance?: string | undefined
  /** End the clients that came with this key. With `instance`: those of them only. */
  apikey?: string | undefined
}

/** What a handler is called with. */
export interface HandlerRequest<Data = unknown> {
  /** The instance of the namespace that the client is in, whatever the data says; `null` at the root. */
  instance: string | null
  /** The one argument that the client sent; `undefined` if there was none. */
  data: Data
  /** The client. */
  socket: ClientSocket
}

/**
 * Handles a message of a client. Its return value, or what its promise resolves to, is the acknowledgement; `undefined`
 * arrives as `null`. One of {@link errors} that it throws is the acknowledgement, too. Any other error is logged, and
 * the client gets HANDLER_FAILED.
 */
export type Handler<Data = unknown> = (request: HandlerRequest<Data>) => unknown

/** Options of `handle`. */
export interface HandleOptions<Schema extends EventSchema | undefined = undefined> {
  /**
   * What the data must be: a schema of TypeBox (`@sinclair/typebox` or `typebox`), of which the handler gets the type,
   * or a plain JSON Schema. Its `$schema` says its draft: 7 (also where there is none), 2019-09 or 2020-12.
   * @default any data
   */
  schema?: Schema
  /** Called for each message whose data is valid. */
  handler: Handler<SchemaData<Schema>>
  /**
   * Milliseconds after which the client is told HANDLER_TIMEOUT; 0 is no limit.
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
  /** Of the accepted calls, those whose event did not go to its instance's namespace, by reason. */
  skipped: Record<SkipReason, number>
}

/** Counters of what came over HTTP to be emitted, since the start. The events count in {@link EmitStats} as well. */
export interface PublishStats {
  /** Events that were accepted. */
  accepted: number
  /** Requests that were answered as the first time, because of their key or, for webhooks of Evolution, their body. */
  repeated: number
  /** Webhooks of Evolution of which there was nothing to emit, by reason. */
  skipped: Record<WebhookSkip, number>
}

/** Gauges of the clients that are connected now, and counters of clients since the start. */
export interface ClientStats {
  /** Clients connected now, at the root. */
  atRoot: number
  /** Clients connected now, in instances' namespaces. */
  inInstances: number
  /** Connections that carry a client now. */
  connections: number
  /** Namespaces of instances that exist now. */
  namespaces: number
  /** Clients admitted. */
  admitted: number
  /** Clients refused, or disconnected with an error, by the code without its prefix. */
  refused: Record<string, number>
  /** Messages of clients: those that a handler was called with, and those that nothing handles or that were refused. */
  received: {
    /** A handler was called. */
    handled: number
    /** There is no handler, or the message was refused. */
    dropped: number
  }
}

/** Counters of delivery, since the start. */
export interface DeliveryStats {
  /** Messages handed to clients' connections, replayed ones too. */
  delivered: number
  /** Messages replayed to clients that resumed. */
  replayed: number
  /**
   * Clients that gave `auth.lastEventId`, those that have a `pid` by `stockResume`, and all streams over HTTP, by
   * outcome: everything was replayed, a gap, or no id yet. A gap counts also for clients that were connected when it
   * came about.
   */
  resumed: {
    /** All that was missed was replayed. */
    recovered: number
    /** Events were lost: the client was told to load its state anew. */
    gap: number
    /** The client gave no id yet. */
    fresh: number
  }
  /** Connections ended because too much waited for them. */
  slowConsumers: number
}

/** The store, as this node sees it. A store that cannot be away is always available. */
export interface StoreStats {
  /** Whether the store answers. */
  available: boolean
  /** Events that wait for the store in this node. */
  pendingEvents: number
  /** Bytes of the events that wait. */
  pendingBytes: number
  /** Of the rejected calls of `emit`, those where the store failed, or was away for too long. */
  failures: number
}

/** Counters since the start, and gauges, of this node. A plain object, new at each call. */
export interface Stats {
  /** Calls of `emit`. */
  emit: EmitStats
  /** What came over HTTP to be emitted. */
  publish: PublishStats
  /** Clients and what they send. */
  clients: ClientStats
  /** Messages to clients. */
  delivery: DeliveryStats
  /** What the event log of this node has now: streams, records, and bytes. */
  log: LogStats
  /** The store. */
  store: StoreStats
  /** How often each limit was reached: a client refused or disconnected by it, or an `emit` rejected. */
  limits: Record<keyof Limits, number>
}

/** Who asks, as the host's own check sees it. */
export interface VerifyRequest {
  /** `null` if no key came. */
  apikey: string | null
  /** `null` for the root. */
  instance: string | null
  /** The caller's address, as `trustProxy` resolves it; `null` where there is none (a Unix socket). */
  address: string | null
  /** The headers of the request: of a route, or of the one that opened the connection. */
  headers: IncomingHttpHeaders
}

/** What a key may see, whatever it asks for. */
export interface VerifyGrant {
  /** Instances, by name; left out: all. */
  instances?: readonly string[] | undefined
  /** Events in either spelling, `messages.*` allowed; left out: all. */
  events?: readonly string[] | undefined
  /**
   * Milliseconds after which `verify` is asked again for a connected client. If it refuses the key then, the client is
   * disconnected at once; a narrower grant narrows what it gets. Left out: never. For routes, `verify` is asked at each
   * request.
   */
  ttl?: number | undefined
  /**
   * Whether the key may publish over HTTP for these instances.
   * @default false
   */
  publish?: boolean | undefined
}

/** What `verify` answers: `true` grants everything that is asked for but publishing, `false` refuses the key. */
export type VerifyAnswer = boolean | VerifyGrant
/**
 * Checks a key. It has 10 seconds. If it throws, rejects or takes longer, the caller gets VERIFY_FAILED and is told to
 * try again.
 */
export type Verify = (request: VerifyRequest) => VerifyAnswer | Promise<VerifyAnswer>

/** A global key, or several. */
export type ApiKeys = string | readonly string[]
/** Gives the global keys that are good now; an empty list: none is. */
export type ApiKeySource = () => ApiKeys | Promise<ApiKeys>

/** What a connection keeps of the HTTP request that it began with. */
export type HandshakeRequestOption = 'release' | 'keep'

/** Which clients resume by the `pid` of Socket.IO's own client. */
export type StockResumeOption = boolean | 'browsers'

/** Which proxies to believe: all, addresses or CIDR blocks, or a function of the address and its distance in hops. */
export type TrustProxy = boolean | string | readonly string[] | ((address: string, hop: number) => boolean)

/** Bounds; `0` is no limit. They hold for the plugin's namespaces, not for the host's. */
export interface Limits {
  /**
   * Connections that this node serves.
   * @default 0
   */
  connections: number
  /**
   * Clients of one instance on this node; of the root, too.
   * @default 10000
   */
  connectionsPerInstance: number
  /**
   * Connections of one address.
   * @default 0
   */
  connectionsPerAddress: number
  /**
   * Refusals of one address in a minute. Further attempts from it are rejected without a check for the rest of the
   * minute, even with a valid key.
   * @default 0
   */
  refusalsPerMinute: number
  /**
   * Namespaces that one connection may be in, and refusals after which a connection that serves nobody is ended.
   * @default 256
   */
  namespacesPerConnection: number
  /**
   * Milliseconds after which a connection that is in no namespace is ended.
   * @default 10000
   */
  idleMs: number
  /**
   * Bytes of messages of up to 64 KiB that may wait for one client; then its connection is ended, and it comes back by
   * itself.
   * @default 1048576
   */
  queuedBytes: number
  /**
   * Bytes of larger messages that may wait for one client while it reads at least 64 KiB in ten seconds; then its
   * connection is ended. One of them may wait in any case.
   * @default 33554432
   */
  queuedBytesMax: number
  /**
   * Bytes that may wait for all clients together, those that many clients share counted once. Then the connections
   * are ended whose clients have read nothing for the longest time.
   * @default 268435456
   */
  queuedBytesTotal: number
  /**
   * Bytes of one message to clients, with its binary parts; `emit` rejects a larger one with MESSAGE_TOO_LARGE.
   * @default 33554432
   */
  messageBytes: number
  /**
   * Names of instances with a config or a history: what is kept for a name outlives its clients. For one more, `set`,
   * `emit` and clients get LIMIT_REACHED.
   * @default 100000
   */
  instances: number
  /**
   * Bytes of one message from a client.
   * @default 65536
   */
  inboundBytes: number
  /**
   * Messages from one client in a second; then its connection is ended. The same for attempts to join a namespace on
   * one connection, if they are more than `namespacesPerConnection` as well.
   * @default 50
   */
  inboundPerSecond: number
  /**
   * Events that one key publishes over HTTP in a second. A list counts by its events: events above the limit delay the
   * next request.
   * @default 0
   */
  publishPerSecond: number
  /**
   * Events that may wait while the store is away; then `emit` rejects with PENDING_FULL.
   * @default 10000
   */
  pendingEvents: number
  /**
   * Bytes of the events that may wait while the store is away; then `emit` rejects with PENDING_FULL.
   * @default 67108864
   */
  pendingBytes: number
}

/**
 * A `Registry` of prom-client 15: what is asked of it. Written out, so that an application without prom-client can be
 * compiled.
 */
export interface MetricsRegistry {
  /** Adds a metric. */
  registerMetric(metric: unknown): void
  /** The metric of a name; `undefined` if there is none. */
  getSingleMetric(name: string): unknown
  /** Removes the metric of a name. */
  removeSingleMetric(name: string): void
}

/** Options of the plugin. Each may be left out. */
export interface WsEventsOptions {
  /**
   * `false`: there is no Socket.IO server. Configs can be set and found; `emit` sends nothing, and its result says so.
   * Environment: `WEBSOCKET_ENABLED`.
   * @default true
   */
  enabled?: boolean | undefined
  /**
   * Global mode: clients of the root get the events of every instance. Environment: `WEBSOCKET_GLOBAL_EVENTS`.
   * @default false
   */
  globalEvents?: boolean | undefined
  /**
   * Serve Evolution API's clients as they are: its routes, and its behaviour at the root. `{ timeZone }` is the same,
   * and names the IANA time zone of the Evolution API, such as `America/Sao_Paulo`: its webhooks carry local times,
   * which are corrected by it. Left out, they stay as they come.
   * @default false
   */
  evolution?: boolean | {
    /** The IANA time zone of the Evolution API. */
    timeZone?: string | undefined
  } | undefined
  /**
   * The global key, a list, or a function that gives either, asked at each check, so that keys rotate without a
   * restart: opens the root, every instance and every route. The function has 10 seconds; while it fails, callers with
   * a key are told to try again. Environment: `AUTHENTICATION_API_KEY`.
   * @default none
   */
  apikey?: ApiKeys | ApiKeySource | undefined
  /**
   * The host's own check of a key, asked for each namespace and each route, and again after
   * the `ttl` that it answers. It has 10 seconds.
   * @default none
   */
  verify?: Verify | undefined
  /**
   * A key, or several, that may publish over HTTP for every instance, and do nothing else. Environment:
   * `WEBSOCKET_PUBLISH_KEY`.
   * @default none
   */
  publishKey?: ApiKeys | undefined
  /**
   * Addresses or CIDR blocks that need no key; `*` is anyone. Environment: `WEBSOCKET_ALLOWED_HOSTS` (commas).
   * @default loopback when neither `apikey` nor `verify` is set, else none
   */
  allowedHosts?: string | readonly string[] | undefined
  /**
   * Which proxies are believed about the client's address, as in Fastify.
   * @default false
   */
  trustProxy?: TrustProxy | undefined
  /**
   * Origins of pages that may connect, or `*`. Environment: `CORS_ORIGIN` (commas), read only with `evolution`.
   * @default none
   */
  cors?: string | readonly string[] | undefined
  /**
   * `server_url` in each message. Environment: `SERVER_URL`, read only with `evolution`.
   * @default none
   */
  serverUrl?: string | undefined
  /**
   * Where events are remembered and configs kept: `memory:`, `lmdb:PATH`, `redis://…`, or a store from
   * `fastify-ws-events/stores`. With `memory:` both end with the process. Environment: `WEBSOCKET_STORE`.
   * @default memory:
   */
  store?: string | Store | undefined
  /**
   * The host's own place for configs. Each of its functions has 10 seconds.
   * @default the store's
   */
  configs?: HostConfigs | undefined
  /**
   * How much of each stream is remembered: milliseconds, records, bytes.
   * @default by store
   */
  retention?: { [Bound in keyof Retention]?: Retention[Bound] | undefined } | undefined
  /**
   * What an instance that was never set counts as.
   * @default none
   */
  defaultConfig?: InstanceConfigInput | undefined
  /**
   * Whether the host has an instance of this name; `false` makes the routes that set answer 404. It has 10 seconds.
   * @default none
   */
  instanceExists?: ((name: string) => boolean | Promise<boolean>) | undefined
  /**
   * The catalogue: names, or a map from name to the schema of its data (`true` for any).
   * @default evolutionEvents
   */
  events?: EventDefinitions | undefined
  /** Bounds; `0` is no limit. */
  limits?: { [Name in keyof Limits]?: Limits[Name] | undefined } | undefined
  /**
   * Where the routes live; `false`: no routes. `publish: false`: none to publish by; `publish.bodyLimit`: bytes of a
   * body that is published, 134217728 at most. Left out, it is 16777216, and 134217728 for webhooks of Evolution.
   * @default { prefix: '' }
   */
  routes?: false | {
    /** What the paths of the routes begin with. */
    prefix?: string | undefined
    /** The routes that publish events; `false`: none. */
    publish?: false | {
      /** Bytes of a request body, 134217728 at most. */
      bodyLimit?: number | undefined
    } | undefined
  } | undefined
  /**
   * Options for the Socket.IO server, or the host's own `Server`.
   * @default none
   */
  socketio?: SocketIOOption | undefined
  /**
   * What a connection keeps of its handshake once its client is in. `'release'`: headers, query, URL, method and
   * address, which `socket.request` has then under their names, and not the request; `'keep'`: the request. Left out,
   * it is released on a server of ours that has no namespaces, middlewares and listeners but the plugin's.
   * @default 'release' or 'keep'
   */
  handshakeRequest?: HandshakeRequestOption | undefined
  /**
   * `false`: every byte goes by Socket.IO's own way. Its outgoing listeners and its admin UI see only that way.
   * @default true
   */
  fastPath?: boolean | undefined
  /**
   * Resume for Socket.IO's own clients (4.6 and later) as they are: they are given a `pid`, and each event has its
   * message's id as a second argument. `'browsers'`: for clients that send an `Origin` or `Sec-Fetch-Site`; `true`: for
   * all. Clients that give `auth.lastEventId` are served as without it. Environment: `WEBSOCKET_STOCK_RESUME`.
   * @default false
   */
  stockResume?: StockResumeOption | undefined
  /**
   * Milliseconds over which connections end at `close()`, so that their clients do not all come back to the next node
   * at once. What was emitted before reaches them first; meanwhile nobody is let in, and `emit` rejects with CLOSED.
   * Environment: `WEBSOCKET_DRAIN_MS`.
   * @default 0
   */
  drainMs?: number | undefined
  /**
   * Where metrics for Prometheus are registered while the server runs: `{ registry }`, a `Registry` of prom-client,
   * which must be installed. No other server may have its metrics there.
   * @default none
   */
  metrics?: {
    /** The registry that the metrics are added to. */
    registry: MetricsRegistry
  } | undefined
  /**
   * Another environment, or `false` for none.
   * @default process.env
   */
  env?: false | Readonly<Record<string, string | undefined>> | undefined
}

/** What `fastify.wsEvents` is. */
export interface WsEvents {
  /** How the plugin serves: see the options `enabled` and `globalEvents`. */
  readonly mode: Mode
  /**
   * Sends an event of an instance to the clients that are entitled to it. The data is read during the call, and the
   * events of one instance arrive in the order of the calls, awaited or not.
   *
   * @param instance the instance's name
   * @param event an event of the catalogue, in either spelling: an {@link EventName}
   * @param data what the clients get as `message.data`: the {@link EventData} of the event. `Buffer`s and typed arrays
   *   arrive as binary
   * @param options what else the message holds
   * @returns what became of it. A rejection is logged; not awaiting it is safe
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
   * Sets the config of an instance. Clients that are no longer entitled are disconnected.
   *
   * @param instance the instance's name
   * @param config whether it is served, and which events it sends
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
   * Sends what was emitted before, disconnects the instance's clients, and deletes its config and its history.
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
   * The clients that are connected to this node.
   *
   * @param target left out: all of them; else those of the instance's namespace
   * @param target.instance the instance's name
   * @throws INVALID_NAME
   */
  clients(target?: { instance?: string | undefined }): ClientInfo[]
  /**
   * Ends clients so that a stock client stays away until it is told to connect again. Where several nodes share the
   * store, on all of them: at once on this one.
   *
   * @param target the clients of an instance's namespace, those that came with a key, or those that are both
   * @throws INVALID_DATA when neither an instance nor a key is named, INVALID_NAME; STORE_UNAVAILABLE when the other
   *   nodes could not be told
   */
  disconnect(target: DisconnectTarget): Promise<void>
  /**
   * Lets clients send an event: those of an instance's namespace for that instance, and at the root those alone that
   * came with the global key. The answer is the acknowledgement: what the handler returns, or
   * `{ code, statusCode, message, retry }` for UNAUTHORIZED, FORBIDDEN, INVALID_DATA, NOT_SERIALIZABLE, HANDLER_FAILED,
   * HANDLER_TIMEOUT. Clients that ask for no acknowledgement are told nothing.
   *
   * @param event any name that the catalogue could have, in it or not
   * @param options the handler, the schema of the data, and the timeout
   * @throws INVALID_OPTION for a name that cannot be, one that has a handler already, and options that cannot be
   */
  handle<Schema extends EventSchema | undefined = undefined>(event: string, options: HandleOptions<Schema>): void
  /** Counters since the start, and gauges, of this node. */
  stats(): Stats
  /**
   * The events, what clients may send, how they resume and how they bring a key, as an AsyncAPI 3.0.0 document. Made
   * of the catalogue and of what is handled at the time of the call.
   *
   * @param info title, version and description of the document; what is left out is the plugin's
   * @returns plain JSON, new at each call
   */
  asyncapi(info?: Partial<AsyncApiInfo>): AsyncApiDocument
}

declare module 'fastify' {
  interface FastifyInstance {
    wsEvents: WsEvents
  }
}
