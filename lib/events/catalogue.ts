import type { ValidateFunction } from 'ajv'
import { closest } from 'fastest-levenshtein'
import { errors, reasonOf } from '../errors.js'
import { faultIn, isObject, SchemaCompiler, schemaFault } from '../host/json-schema.js'
import { excerpt } from '../instances/names.js'
import { evolutionAliases } from './evolution.js'
import type { EventSchema } from './schema-type.js'

export type { EventSchema } from './schema-type.js'

/**
 * A catalogue as the application gives it: a list of names, or an object with the schema of each event's data (`true`:
 * any data).
 */
export type EventDefinitions = readonly string[] | Readonly<Record<string, EventSchema | true>>

/** An event of the catalogue. */
export interface EventType {
  /** Dotted name, as in Socket.IO packets: `messages.upsert`. */
  readonly name: string
  /** Constant spelling, as in configs: `MESSAGES_UPSERT`. */
  readonly constant: string
  /** Index in the catalogue, by which an event set stores the event. */
  readonly index: number
  readonly schema: EventSchema | true
  /** Validates the data; missing if any data is valid. */
  readonly validate?: ValidateFunction
}

// Only characters that are safe in comma lists, in wildcards and in Socket.IO packets.
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,99}$/
const SOCKET_IO_RESERVED = new Set([
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'newListener',
  'removeListener'
])
// JSON Schema keywords that describe data without restricting it.
const ANNOTATIONS = new Set([
  'title',
  'description',
  '$comment',
  'examples',
  'default',
  'deprecated',
  'readOnly',
  'writeOnly',
  '$id',
  '$schema'
])

/** Why an event name is invalid, as a text that follows the name; `undefined` if it is valid. */
export function nameFault (name: unknown): string | undefined {
  if (typeof name !== 'string' || !NAME.test(name)) {
    return 'must be 1 to 100 of A-Z a-z 0-9 _ . : - and start with a letter, a digit or _'
  }
  if (SOCKET_IO_RESERVED.has(name)) return 'is reserved by Socket.IO'
  if (name.startsWith('ws.') || name.startsWith('subscribe')) {
    return 'is reserved by this plugin, as is all that starts with "ws." or "subscribe"'
  }
}

const constantOf = (name: string): string => name.replace(/[.-]/g, '_').toUpperCase()

/** The events that can be emitted. Each is found by its dotted or its constant spelling. */
export class Catalogue {
  readonly events: readonly EventType[]
  // Map(spelling -> event)
  readonly #bySpelling = new Map<string, EventType>()

  /** @throws INVALID_OPTION naming the event and what is wrong with it */
  constructor (definitions: EventDefinitions) {
    const entries: ReadonlyArray<readonly [string, EventSchema | true]> = Array.isArray(definitions)
      ? definitions.map((name: string) => [name, true] as const)
      : Object.entries(definitions as Readonly<Record<string, EventSchema | true>>)
    if (entries.length === 0) {
      throw new errors.INVALID_OPTION(
        'option "events" is empty: give at least one event, or leave it out for the events of Evolution API'
      )
    }
    const compiler = new SchemaCompiler()
    this.events = entries.map(([name, schema], index) => this.#define(compiler, name, schema, index))
    for (const [alias, name] of evolutionAliases) {
      const event = this.#bySpelling.get(name)
      if (event !== undefined && !this.#bySpelling.has(alias)) this.#bySpelling.set(alias, event)
    }
  }

  #define (compiler: SchemaCompiler, name: string, schema: EventSchema | true, index: number): EventType {
    const wrong = (why: string) => new errors.INVALID_OPTION(`option "events": the name ${JSON.stringify(name)} ${why}`)
    const fault = nameFault(name)
    if (fault !== undefined) throw wrong(fault)
    const constant = constantOf(name)
    for (const spelling of [name, constant]) {
      const other = this.#bySpelling.get(spelling)
      if (other !== undefined) throw wrong(`is spelled ${constant} too, and so is "${other.name}": rename one of them`)
    }
    const validate = this.#compile(compiler, name, schema)
    const event: EventType = { name, constant, index, schema, ...(validate && { validate }) }
    this.#bySpelling.set(name, event).set(constant, event)
    return event
  }

  #compile (compiler: SchemaCompiler, name: string, schema: EventSchema | true): ValidateFunction | undefined {
    if (schema === true) return
    const fault = schemaFault(schema)
    if (fault !== undefined) {
      throw new errors.INVALID_OPTION(
        `option "events": the schema of "${name}" ${fault}${isObject(schema) ? '' : ' or true'}`
      )
    }
    if (Object.keys(schema).every(key => ANNOTATIONS.has(key))) return
    try {
      return compiler.compile(schema)
    } catch (cause) {
      throw Object.assign(
        new errors.INVALID_OPTION(`option "events": the schema of "${name}" cannot be compiled: ${reasonOf(cause)}`),
        { cause }
      )
    }
  }

  /** Finds an event by either spelling; `undefined` if it is unknown. */
  find (spelling: string): EventType | undefined {
    return this.#bySpelling.get(spelling)
  }

  /**
   * Finds an event by either spelling.
   *
   * @throws UNKNOWN_EVENT with the most similar known name
   */
  get (spelling: unknown): EventType {
    const event = typeof spelling === 'string' ? this.#bySpelling.get(spelling) : undefined
    if (event === undefined) throw this.unknown(spelling)
    return event
  }

  /** The name of an event in Evolution's manager: its alias if it has one, otherwise its constant spelling. */
  evolutionName (constant: string): string {
    const event = this.#bySpelling.get(constant)
    for (const [alias, name] of evolutionAliases) {
      if (event?.name === name && this.#bySpelling.get(alias) === event) return alias
    }
    return constant
  }

  /** The error for a name that is not in the catalogue. */
  unknown (spelling: unknown): Error {
    if (typeof spelling !== 'string') {
      return new errors.UNKNOWN_EVENT(typeof spelling, 'the name of an event is a string')
    }
    const name = excerpt(spelling)
    const near = this.#bySpelling.get(closest(constantOf(name), this.events.map(({ constant }) => constant)))
    const suggested = name === name.toUpperCase() ? near?.constant : near?.name
    return new errors.UNKNOWN_EVENT(
      name,
      `did you mean "${suggested ?? ''}"? Events of your own go into the option "events" when the plugin is registered`
    )
  }

  /**
   * Validates data by the event's schema.
   *
   * @throws INVALID_DATA naming the property
   */
  validate (event: EventType, data: unknown): void {
    const fault = event.validate === undefined ? undefined : faultIn(event.validate, data, 'data')
    if (fault !== undefined) {
      throw new errors.INVALID_DATA(`the data of "${event.name}" does not match its schema: ${fault}`)
    }
  }
}
