import type { Catalogue, EventSchema, EventType } from '../events/catalogue.js'
import type { Mode } from '../types.js'
import type {
  AsyncApiChannel,
  AsyncApiDocument,
  AsyncApiInfo,
  AsyncApiMessage,
  AsyncApiOperation,
  AsyncApiReference,
  JsonSchema
} from './document.js'
import { embedded } from './host-schema.js'
import { Keys } from './keys.js'
import { acknowledgement, envelope, filter, position, ready, refusal } from './payloads.js'
import { securitySchemes, serverOf } from './server.js'
import { ABOUT, FILTER, INSTANCE_NAME, RESUME } from './texts.js'

/** An event that clients may send. */
export interface HandledEvent {
  readonly event: string
  readonly schema: EventSchema | undefined
}

/** The parts of the server that the document describes. */
export interface Described {
  readonly mode: Mode
  readonly catalogue: Catalogue
  readonly handled: readonly HandledEvent[]
  /** The value of the option `serverUrl`. */
  readonly serverUrl: string | null
  /** Path of the Socket.IO server. */
  readonly path: string
}

const ref = (place: string): AsyncApiReference => ({ $ref: `#/${place}` })

/** A Socket.IO namespace while its channel is being described. */
interface ChannelDraft {
  readonly key: 'root' | 'instance'
  readonly of: string
}
const INSTANCE: ChannelDraft = { key: 'instance', of: 'of an instance' }
const ROOT: ChannelDraft = { key: 'root', of: 'of the root' }

const OPERATIONS = {
  instance: {
    events: 'sendInstanceEvents',
    resume: 'sendInstanceState',
    subscribe: 'receiveInstanceSubscribe',
    handle: 'receiveInstanceMessage'
  },
  root: { events: 'sendEvents', resume: 'sendState', subscribe: 'receiveSubscribe', handle: 'receiveMessage' }
} as const

/** Generates the document as plain JSON. Used for one document. */
class Writer {
  readonly #parts: Described
  readonly #keys = new Keys()
  readonly #messages: Record<string, AsyncApiMessage> = {}
  readonly #schemas: Record<string, JsonSchema> = {}
  /** Keys in `components` of the catalogue's events, and of the events that clients send. */
  readonly #events: readonly string[]
  readonly #sent: readonly string[]

  constructor (parts: Described) {
    this.#parts = parts
    this.#add('ws.ready', {
      summary: 'Told first to a client that gave `auth.lastEventId`, and again, with `recovered: false`, when the store loses events',
      payload: ready
    })
    this.#add('ws.position', {
      summary: 'Told to a client that gave `auth.lastEventId` when it has had no event for a while: it has everything up to here',
      payload: position
    })
    this.#add('subscribe', { summary: 'Sets the whole filter of the client', payload: filter })
    this.#add('acknowledgement', {
      summary: 'The filter in force, or why it was refused',
      payload: acknowledgement(
        'The dotted names of the events that the client gets from now on',
        { type: 'array', items: { type: 'string' } }
      )
    })
    this.#add('result', {
      summary: 'What the handler returned, or why there is nothing',
      payload: acknowledgement('What the handler returned; `null` for nothing', true)
    })
    this.#schemas.refusal = refusal
    this.#events = parts.catalogue.events.map(event => this.#addEvent(event))
    this.#sent = parts.handled.map(({ event, schema }) => this.#addSent(event, schema))
  }

  #add (name: string, message: Omit<AsyncApiMessage, 'name'>): string {
    const key = this.#keys.take(name)
    this.#messages[key] = { name, ...message }
    return key
  }

  #addEvent ({ name, constant, schema }: EventType): string {
    const key = this.#add(name, {
      title: constant,
      summary: descriptionOf(schema) ?? `The event ${name}`,
      payload: true
    })
    this.#messages[key] = {
      ...this.#messages[key] as AsyncApiMessage,
      payload: envelope(name, this.#data(key, schema))
    }
    return key
  }

  #addSent (name: string, schema: EventSchema | undefined): string {
    const key = this.#keys.take(`${name}.request`)
    this.#messages[key] = {
      name,
      summary: (schema !== undefined && descriptionOf(schema)) || `A client sends ${name}`,
      payload: this.#data(key, schema ?? true)
    }
    return key
  }

  /** A reference to the schema of the data, which is written once under `components` because it may refer to itself. */
  #data (key: string, schema: EventSchema | true): JsonSchema {
    if (schema === true) return true
    const name = `${key}.data`
    this.#schemas[name] = embedded(schema, `#/components/schemas/${name}`)
    return { $ref: `#/components/schemas/${name}` }
  }

  write (info: AsyncApiInfo): AsyncApiDocument {
    const { mode, serverUrl, path } = this.#parts
    const places = mode === 'disabled' ? [] : mode === 'global' ? [ROOT, INSTANCE] : [INSTANCE]
    return {
      asyncapi: '3.0.0',
      info,
      defaultContentType: 'application/json',
      servers: mode === 'disabled' ? {} : { socketio: serverOf(serverUrl, path) },
      channels: Object.fromEntries(places.map(place => [place.key, this.#channel(place)])),
      operations: Object.assign(
        {},
        ...places.map(place => this.#operations(place))
      ) as Record<string, AsyncApiOperation>,
      components: { messages: this.#messages, schemas: this.#schemas, securitySchemes }
    }
  }

  #channel ({ key }: ChannelDraft): AsyncApiChannel {
    const keys = [
      'ws.ready',
      'ws.position',
      'subscribe',
      'acknowledgement',
      ...this.#sent.length > 0 ? ['result'] : [],
      ...this.#events,
      ...this.#sent
    ]
    const messages = Object.fromEntries(keys.map(name => [name, ref(`components/messages/${name}`)]))
    const described = `${FILTER}\n\n${RESUME}`
    return key === 'root'
      ? {
          address: '/',
          title: 'The root',
          description: `The events of every instance, whether it is set or not.\n\n${described}`,
          messages
        }
      : {
          address: '/{instance}',
          title: 'An instance',
          description: `The events of an instance, those that its config lists, once it is set and enabled.\n\n${described}`,
          parameters: { instance: { description: INSTANCE_NAME } },
          messages
        }
  }

  #operations (place: ChannelDraft): Record<string, AsyncApiOperation> {
    const names = OPERATIONS[place.key]
    const channel = ref(`channels/${place.key}`)
    const messages = (keys: readonly string[]) => keys.map(key => ref(`channels/${place.key}/messages/${key}`))
    return {
      [names.events]: { action: 'send', channel, summary: `The events ${place.of}`, messages: messages(this.#events) },
      [names.resume]: {
        action: 'send',
        channel,
        summary: 'Where a client stands that keeps ids to resume from',
        messages: messages(['ws.ready', 'ws.position'])
      },
      [names.subscribe]: {
        action: 'receive',
        channel,
        summary: 'Sets the filter of a client',
        messages: messages(['subscribe']),
        reply: { channel, messages: messages(['acknowledgement']) }
      },
      ...this.#sent.length > 0 && {
        [names.handle]: {
          action: 'receive',
          channel,
          summary: place === ROOT ? 'What clients may send that came with the global key' : 'What clients may send',
          messages: messages(this.#sent),
          reply: { channel, messages: messages(['result']) }
        }
      }
    }
  }
}

function descriptionOf (schema: EventSchema | true): string | undefined {
  const { description } = (schema === true ? {} : schema) as { readonly description?: unknown }
  return typeof description === 'string' ? description : undefined
}

/**
 * Describes the server as an AsyncAPI 3.0.0 document.
 *
 * @param info the document's title, version and description; the plugin has a default for each
 */
export function describeEvents (parts: Described, info: Partial<AsyncApiInfo>): AsyncApiDocument {
  return new Writer(parts).write({
    title: info.title ?? 'Events',
    version: info.version ?? '1.0.0',
    description: info.description ?? ABOUT
  })
}
