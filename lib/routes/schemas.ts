import { type TSchema, Type } from '@sinclair/typebox'
import type { Catalogue } from '../events/catalogue.js'
import { MAX_NAME_LENGTH } from '../instances/names.js'

/** Schemas that all routes share. `routeSchemas` makes those that depend on the catalogue. */
const tags = ['websocket']
const security = [{ apikey: [] }, { bearer: [] }]

const error = (description: string, more: Record<string, TSchema> = {}) => Type.Object({
  statusCode: Type.Integer(),
  code: Type.Optional(Type.String()),
  error: Type.String(),
  message: Type.String(),
  ...more
}, { description })

/** Additional properties of errors of Evolution's routes. */
const evolutionError = {
  status: Type.Optional(Type.Integer()),
  response: Type.Optional(Type.Object({ message: Type.Array(Type.String()) }))
}

const commaList = (what: string) =>
  Type.Optional(Type.String({ description: `${what}, with commas between them. Left out or empty: all` }))

/** Maximum and default number of events in a page. */
const MAX_LIMIT = 1000
export const DEFAULT_LIMIT = 100

/** The schema of a page of history. */
function pageSchema () {
  const message = Type.Object({
    id: Type.String(),
    event: Type.String(),
    instance: Type.String(),
    data: Type.Unknown({ description: 'Binary parts are {"type":"Buffer","data":"…"}, in base64' }),
    server_url: Type.Union([Type.String(), Type.Null()]),
    date_time: Type.String({ format: 'date-time' }),
    sender: Type.Union([Type.String(), Type.Null()])
  }, { description: 'As Socket.IO clients get it' })
  return Type.Object({
    recovered: Type.Union([Type.Boolean(), Type.Null()], {
      description: 'true: these are all the events after the id. false: events after it may be missing, none are given, and the state has to be loaded anew. null: no id was given'
    }),
    events: Type.Array(message, { description: 'The oldest first' }),
    lastEventId: Type.String({ description: 'Give it as after for the next page' }),
    more: Type.Boolean({ description: 'Whether there is more already' })
  })
}

/** Schemas that the routes for reading events share. */
function eventsSchemas (names: readonly string[]) {
  return {
    common: {
      description: 'A live stream for Accept: text/event-stream, which is also the default; a page of the past for Accept: application/json, or where after or limit is given. A stream resumes after the header Last-Event-ID.',
      tags,
      security,
      headers: Type.Object({
        'last-event-id': Type.Optional(Type.String({
          description: 'For a stream: the id of the last message, after which it goes on'
        }))
      })
    },
    query: {
      events: commaList(`Events to get, in either spelling; messages.* is allowed. Of ${names.join(', ')}`),
      after: Type.Optional(Type.String({
        description: 'For a page: the id of the last message. Left out or empty: no events, and where the stream is now'
      })),
      limit: Type.Optional(Type.Integer({
        minimum: 1,
        maximum: MAX_LIMIT,
        default: DEFAULT_LIMIT,
        description: 'For a page: how many events at most'
      }))
    },
    answer: {
      description: 'The stream, or the page',
      content: {
        'text/event-stream': {
          schema: Type.String({
            description: 'Server-sent events: ws.ready first, then the messages, each with its id'
          })
        },
        'application/json': { schema: pageSchema() }
      }
    },
    failures: {
      400: error('The name, the query or the filter is not valid'),
      403: error('The key does not grant access, or the instance is disabled'),
      406: error('Neither of the two types is accepted'),
      409: error('The namespace is the application\'s own'),
      429: error('A limit is reached'),
      503: error(
        'The key cannot be checked just now, the store is away, WebSocket events are disabled, or the server is shutting down'
      )
    }
  }
}

/** Schemas that the routes of configs share, with events of this catalogue as examples. */
function configSchemas (names: readonly string[]) {
  // No `enum`: both spellings are accepted, and the error for an unknown name suggests the most similar one.
  const events = Type.Array(Type.String({ maxLength: 200 }), {
    maxItems: 10_000,
    description: `Events to send, in either spelling (MESSAGES_UPSERT, messages.upsert). Empty: all. Left out, or empty with enabled false: the stored list stays; all where there is none. One or more of ${names.join(', ')}`,
    examples: [names.slice(0, 2)]
  })
  const failures = (more: Record<string, TSchema> = {}) => ({
    400: error('The name, the body or an event is not valid', more),
    401: error('A key is needed', more),
    403: error('The key does not grant access to this instance', more),
    503: error('The key cannot be checked just now, or the server is shutting down', more)
  })
  return {
    // No `maxLength`: the length is checked after normalization.
    name: Type.String({
      description: `The instance: at most ${MAX_NAME_LENGTH} characters, without / \\ , ? # % and control characters`
    }),
    body: Type.Object({
      enabled: Type.Boolean({ description: 'Whether the instance sends events' }),
      events: Type.Optional(events)
    }, { additionalProperties: false }),
    config: (description: string) => Type.Object({
      instance: Type.String(),
      enabled: Type.Boolean(),
      events: Type.Array(Type.String(), { description: 'The list in force' })
    }, { description }),
    failures,
    settingFailures: (more: Record<string, TSchema> = {}) => ({
      ...failures(more),
      404: error('The application has no such instance', more),
      409: error('The namespace is the application\'s own', more),
      413: error('The body is too large', more),
      415: error('The body is not JSON', more)
    })
  }
}

type ConfigSchemas = ReturnType<typeof configSchemas>

/** Makes the schemas of all routes. */
export function routeSchemas (catalogue: Catalogue) {
  const names = catalogue.events.map(({ constant }) => constant)
  const configsOf = configSchemas(names)
  return {
    ...instanceSchemas(configsOf),
    ...eventsRouteSchemas(configsOf, names),
    ...publishSchemas(configsOf, names),
    ...evolutionSchemas(configsOf),
    ...webhookSchemas()
  }
}

function instanceSchemas ({ name, body, config, failures, settingFailures }: ConfigSchemas) {
  const params = Type.Object({ name })
  return {
    put: {
      operationId: 'setInstanceWebsocket',
      summary: 'Set which events an instance sends to its WebSocket clients',
      tags,
      security,
      params,
      body,
      response: {
        200: config('The config, changed'),
        201: config('The config, set for the first time'),
        ...settingFailures()
      }
    },
    get: {
      operationId: 'getInstanceWebsocket',
      summary: 'Read which events an instance sends to its WebSocket clients',
      tags,
      security,
      params,
      response: { 200: config('The config'), ...failures(), 404: error('The instance was never set') }
    },
    delete: {
      operationId: 'deleteInstanceWebsocket',
      summary: 'Forget the config of an instance and disconnect its WebSocket clients',
      tags,
      security,
      params,
      response: {
        204: Type.Null({ description: 'Forgotten' }),
        ...failures(),
        404: error('The instance was never set')
      }
    }
  }
}

function eventsRouteSchemas ({ name, failures }: ConfigSchemas, names: readonly string[]) {
  const eventsOf = eventsSchemas(names)
  return {
    instanceEvents: {
      operationId: 'getInstanceEvents',
      summary: 'Follow the events of an instance without Socket.IO, or read a page of its past',
      ...eventsOf.common,
      params: Type.Object({ name }),
      querystring: Type.Object(eventsOf.query, { additionalProperties: false }),
      response: { 200: eventsOf.answer, ...failures(), ...eventsOf.failures, 404: error('The instance was never set') }
    },
    rootEvents: {
      operationId: 'getEvents',
      summary: 'Follow the events of all instances without Socket.IO, or read a page of their past',
      ...eventsOf.common,
      querystring: Type.Object(
        { ...eventsOf.query, instances: commaList('Instances to get events of') },
        { additionalProperties: false }
      ),
      response: { 200: eventsOf.answer, ...failures(), ...eventsOf.failures }
    }
  }
}

/** Maximum number of messages in a published list. */
const MAX_MESSAGES = 1000
/** Maximum length of an `Idempotency-Key`. */
const MAX_KEY = 200

/** The schema of `EmitResult`. */
const emitted = (description: string) => Type.Object({
  id: Type.Union([Type.String(), Type.Null()], {
    description: 'The id of the message; null when nobody was there and nothing remembers it'
  }),
  routes: Type.Array(Type.String(), { description: 'The namespaces that are entitled to it' }),
  skipped: Type.Optional(Type.String({
    description: 'Why the namespace of its instance is not: disabled, not-set, instance-disabled, filtered, host-namespace'
  }))
}, { description })

function publishSchemas ({ name, failures }: ConfigSchemas, names: readonly string[]) {
  const message = Type.Object({
    event: Type.String({ description: `In either spelling. One of ${names.join(', ')}`, examples: [names[0]] }),
    data: Type.Unknown({ description: 'What clients get as data' }),
    sender: Type.Optional(Type.Union([Type.String(), Type.Null()], { description: 'Who sent it' })),
    date_time: Type.Optional(Type.String({ description: 'ISO 8601. Left out: now' })),
    extra: Type.Optional(Type.Object({}, {
      additionalProperties: true,
      description: 'More keys for the message. Those that every message has win'
    }))
  }, { additionalProperties: false })
  const list = Type.Array(message, { maxItems: MAX_MESSAGES, description: 'Checked whole before any of it is emitted' })
  return {
    publish: {
      operationId: 'publishInstanceEvents',
      summary: 'Publish a message of an instance, or a list of messages',
      tags,
      security: [...security, { basic: [] }],
      params: Type.Object({ name }),
      headers: Type.Object({
        'idempotency-key': Type.Optional(Type.String({
          minLength: 1,
          maxLength: MAX_KEY,
          description: 'The same key with the same body within 60 minutes is answered as the first time, and emits nothing'
        }))
      }),
      body: Type.Union([message, list]),
      response: {
        200: Type.Union([emitted('What became of it'), Type.Array(emitted('What became of each, in their order'))], {
          description: 'What became of the message, or of each in the list'
        }),
        ...failures(),
        413: error('The body is too large, or a message'),
        415: error('The body is not JSON'),
        422: error('The Idempotency-Key came with another body'),
        429: error('A limit is reached'),
        503: error('The store is away, or no more can be held now: send it again later')
      }
    }
  }
}

/** The schemas of Evolution API's two routes. */
function evolutionSchemas ({ name, body, config, failures, settingFailures }: ConfigSchemas) {
  const params = Type.Object({ instance: name })
  return {
    evolutionSet: {
      operationId: 'evolutionSetWebsocket',
      summary: 'Set the WebSocket config of an instance, as in Evolution API',
      tags,
      security,
      params,
      body: Type.Union([Type.Object({ websocket: body }, { additionalProperties: false }), body]),
      response: { 201: config('The config'), ...settingFailures(evolutionError) }
    },
    evolutionFind: {
      operationId: 'evolutionFindWebsocket',
      summary: 'Read the WebSocket config of an instance, as in Evolution API',
      tags,
      security,
      params,
      response: {
        200: Type.Union([config('The config'), Type.Null()], {
          description: 'The config, or null if it was never set'
        }),
        ...failures(evolutionError)
      }
    }
  }
}

/** The schemas of the routes for Evolution's webhooks. */
function webhookSchemas () {
  const common = {
    summary: 'Take a webhook of Evolution API, as it sends it',
    tags,
    security: [...security, { basic: [] }],
    body: Type.Object({
      event: Type.String(),
      instance: Type.String(),
      data: Type.Optional(Type.Unknown()),
      date_time: Type.Optional(Type.String({ description: 'Local time with a Z' })),
      sender: Type.Optional(Type.Union([Type.String(), Type.Null()])),
      server_url: Type.Optional(Type.Union([Type.String(), Type.Null()])),
      destination: Type.Optional(Type.Unknown({ description: 'Dropped' })),
      apikey: Type.Optional(Type.Unknown({ description: 'Dropped: it is never a key' }))
    }, { additionalProperties: true, description: 'Further keys are added to the message' }),
    response: {
      200: emitted('What became of it. The same body again within 60 minutes is answered as the first time'),
      202: Type.Object({
        skipped: Type.String({ description: 'unknown-event, invalid-name, removed' })
      }, { description: 'There is nothing to emit' }),
      401: error('A key is needed', evolutionError),
      403: error('The key may not publish', evolutionError),
      422: error('The body cannot be understood, or is too large', evolutionError),
      429: error('A limit is reached', evolutionError),
      503: error('Send it again later', evolutionError)
    }
  }
  return {
    webhook: { operationId: 'takeEvolutionWebhook', ...common },
    webhookByEvent: {
      operationId: 'takeEvolutionWebhookByEvent',
      ...common,
      params: Type.Object({ event: Type.String({ description: 'Ignored: the event is that of the body' }) })
    }
  }
}
