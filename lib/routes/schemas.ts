import { type TSchema, Type } from '@sinclair/typebox'
import type { Catalogue } from '../events/catalogue.js'
import { MAX_NAME_LENGTH } from '../names.js'

/** What is the same for every route; what differs is given by `routeSchemas`. */
const tags = ['websocket']
const security = [{ apikey: [] }, { bearer: [] }]

const error = (description: string, more: Record<string, TSchema> = {}) => Type.Object({
  statusCode: Type.Integer(),
  code: Type.Optional(Type.String()),
  error: Type.String(),
  message: Type.String(),
  ...more
}, { description })

/** The keys that errors of Evolution's routes have besides. */
const evolutionError = {
  status: Type.Optional(Type.Integer()),
  response: Type.Optional(Type.Object({ message: Type.Array(Type.String()) }))
}

/** The schemas of all routes, with this catalogue's events as examples. */
export function routeSchemas (catalogue: Catalogue) {
  const names = catalogue.events.map(({ constant }) => constant)
  // No `enum`: both spellings are taken, and an unknown name is answered with the nearest one.
  const events = Type.Array(Type.String({ maxLength: 200 }), {
    maxItems: 10_000,
    description: `Events to send, in either spelling (MESSAGES_UPSERT, messages.upsert). Left out or empty: all. One or more of ${names.join(', ')}`,
    examples: [names.slice(0, 2)]
  })
  const body = Type.Object({
    enabled: Type.Boolean({ description: 'Whether the instance sends events' }),
    events: Type.Optional(events)
  }, { additionalProperties: false })
  const config = (description: string) => Type.Object({
    instance: Type.String(),
    enabled: Type.Boolean(),
    events: Type.Array(Type.String(), { description: 'The list in force' })
  }, { description })
  // Its length is checked with all else, after normalization.
  const name = Type.String({ description: `The instance: at most ${MAX_NAME_LENGTH} characters, without / \\ , ? # % and control characters` })
  const failures = (more: Record<string, TSchema> = {}) => ({
    400: error('The name, the body or an event is not valid', more),
    401: error('A key is needed', more),
    403: error('The key does not open this instance', more),
    503: error('The key cannot be checked just now, or the server is shutting down', more)
  })
  const settingFailures = (more: Record<string, TSchema> = {}) => ({
    ...failures(more),
    404: error('The application has no such instance', more),
    409: error('The namespace is the application\'s own', more),
    413: error('The body is too large', more),
    415: error('The body is not JSON', more)
  })
  const params = Type.Object({ name })
  const evolutionParams = Type.Object({ instance: name })
  return {
    put: {
      operationId: 'setInstanceWebsocket',
      summary: 'Set which events an instance sends to its WebSocket clients',
      tags,
      security,
      params,
      body,
      response: { 200: config('The config, changed'), 201: config('The config, set for the first time'), ...settingFailures() }
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
      response: { 204: Type.Null({ description: 'Forgotten' }), ...failures(), 404: error('The instance was never set') }
    },
    evolutionSet: {
      operationId: 'evolutionSetWebsocket',
      summary: 'Set the WebSocket config of an instance, as in Evolution API',
      tags,
      security,
      params: evolutionParams,
      body: Type.Union([Type.Object({ websocket: body }, { additionalProperties: false }), body]),
      response: { 201: config('The config'), ...settingFailures(evolutionError) }
    },
    evolutionFind: {
      operationId: 'evolutionFindWebsocket',
      summary: 'Read the WebSocket config of an instance, as in Evolution API',
      tags,
      security,
      params: evolutionParams,
      response: { 200: Type.Union([config('The config'), Type.Null()], { description: 'The config, or null if it was never set' }), ...failures(evolutionError) }
    }
  }
}
