import type { JsonSchema } from './document.js'

const object = (
  properties: Readonly<Record<string, JsonSchema>>,
  required: readonly string[],
  more: Readonly<Record<string, unknown>> = {}
): JsonSchema => ({ type: 'object', properties, required, ...more })

const id: JsonSchema = { type: 'string', description: 'Opaque; as strings ids sort by time' }
const nullable = (description: string): JsonSchema => ({ type: ['string', 'null'], description })

/** The schema of a message: the argument of a Socket.IO event. */
export function envelope (event: string, data: JsonSchema): JsonSchema {
  return object({
    id,
    event: { const: event },
    instance: { type: 'string', description: 'The instance\'s name' },
    data,
    server_url: nullable('Where the server is, as it says itself'),
    date_time: { type: 'string', format: 'date-time', description: 'ISO 8601, UTC' },
    sender: nullable('Who sent it'),
    apikey: { type: 'string', description: 'Only where the application puts it in' }
  }, ['id', 'event', 'instance', 'data', 'server_url', 'date_time', 'sender'], {
    description: 'The application may add keys of its own'
  })
}

export const ready = object({
  instance: nullable('`null` at the root'),
  mode: { enum: ['traditional', 'global'] },
  enabled: { type: 'boolean', description: 'Whether the instance is enabled' },
  recovered: { type: ['boolean', 'null'] },
  lastEventId: id
}, ['instance', 'mode', 'enabled', 'recovered', 'lastEventId'])

export const position = object({ lastEventId: id }, ['lastEventId'])

const names = (description: string): JsonSchema => ({
  description,
  oneOf: [
    { type: 'array', items: { type: 'string' } },
    { type: 'string', description: 'With commas between them' },
    { type: 'null' }
  ]
})

export const filter = object({
  events: names('Events in either spelling, `messages.*` allowed. Empty or missing: all'),
  instances: names('At the root: instances. Empty or missing: all')
}, [], { additionalProperties: false })

/** The schema of a refusal, as in `data` of a `connect_error`. */
export const refusal = object({
  code: { type: 'string', pattern: '^FST_ERR_WS_EVENTS_' },
  statusCode: { type: 'integer' },
  message: { type: 'string' },
  retry: { type: 'boolean', description: 'Whether a later try may succeed' }
}, ['code', 'statusCode', 'message', 'retry'])

/** The schema of an acknowledgement: either the given result or a refusal. */
export function acknowledgement (description: string, result: JsonSchema): JsonSchema {
  return {
    anyOf: [
      result === true ? { description } : { ...result as object, description },
      { $ref: '#/components/schemas/refusal' }
    ]
  }
}
