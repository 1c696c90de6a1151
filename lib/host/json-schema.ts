import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { reasonOf } from '../errors.js'

const OPTIONS = { strict: false, allErrors: false, removeAdditional: false, useDefaults: false } satisfies Options

/**
 * Makes a validator for JSON Schema, draft 7. Unlike Fastify's own, it reports unknown properties and wrong types as
 * errors instead of dropping or converting them. It stops at the first error, because large data could have very many.
 *
 * @param coerceTypes converts texts to the schema's type, for queries, where every value is a text: `10` becomes a
 *   number
 */
export function createValidator ({ coerceTypes = false } = {}): Ajv {
  const ajv = new Ajv({ ...OPTIONS, coerceTypes })
  addFormats.default(ajv)
  return ajv
}

/** The supported JSON Schema drafts, by the text of `$schema` without scheme and `#`. */
const DRAFTS = {
  'json-schema.org/draft-07/schema': Ajv,
  'json-schema.org/draft/2019-09/schema': Ajv2019,
  'json-schema.org/draft/2020-12/schema': Ajv2020
} as const

type Draft = keyof typeof DRAFTS
const DEFAULT_DRAFT: Draft = 'json-schema.org/draft-07/schema'

type Schema = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is Schema => typeof value === 'object' && value !== null

/** The draft of a schema: draft 7 if it names none; `undefined` if the named one is not supported. */
function draftOf ({ $schema = DEFAULT_DRAFT }: Schema): Draft | undefined {
  const name = typeof $schema === 'string' ? $schema.replace(/^https?:\/\//, '').replace(/#$/, '') : ''
  return Object.hasOwn(DRAFTS, name) ? name as Draft : undefined
}

/** Why a schema of the application is unusable, as a text that follows its name; `undefined` if it is usable. */
export function schemaFault (schema: unknown): string | undefined {
  if (!isObject(schema)) return 'must be a JSON Schema'
  if ('_zod' in schema || '_def' in schema) return 'is zod\'s own: give z.toJSONSchema() of it'
  if (schema.$async !== undefined) return 'is asynchronous ($async), and data is checked at once'
  if (draftOf(schema) === undefined) {
    return `names ${JSON.stringify(schema.$schema)} as its $schema, and JSON Schema draft-07, 2019-09 and 2020-12 are supported`
  }
}

/** Compiles the schemas of the application, each by its own draft. Any version of TypeBox and zod can produce them. */
export class SchemaCompiler {
  // Map(draft -> its validator), created on first use
  readonly #validators = new Map<Draft, Ajv>()
  // Map(schema -> compiled schema): Ajv accepts each `$id` only once
  readonly #compiled = new Map<object, ValidateFunction>()

  /** @param schema without a {@link schemaFault} */
  compile (schema: object): ValidateFunction {
    const known = this.#compiled.get(schema)
    if (known !== undefined) return known
    const { $schema, ...rest } = schema as Schema
    const validate = this.#validator(draftOf(schema as Schema) ?? DEFAULT_DRAFT).compile(rest)
    this.#compiled.set(schema, validate)
    return validate
  }

  #validator (draft: Draft): Ajv {
    const known = this.#validators.get(draft)
    if (known !== undefined) return known
    const validator: Ajv = new DRAFTS[draft](OPTIONS)
    addFormats.default(validator)
    this.#validators.set(draft, validator)
    return validator
  }
}

/**
 * Describes why data is invalid; `undefined` if it is valid. Data that is too deep, or has getters that throw, is
 * invalid.
 *
 * @param where name of the data, as in {@link describeFault}
 */
export function faultIn (validate: ValidateFunction, data: unknown, where: string): string | undefined {
  try {
    if (validate(data) === true) return
  } catch (thrown) {
    return `${where} cannot be read: ${reasonOf(thrown)}`
  }
  const [fault] = validate.errors ?? []
  return fault === undefined ? `${where} is not valid` : describeFault(fault, where)
}

/**
 * Describes a validation error and names the property, which Ajv's own message for an unknown property does not.
 *
 * @param where name of the checked value: `body`, `data`
 */
export function describeFault ({ instancePath, keyword, params, message }: ErrorObject, where: string): string {
  const at = `${where}${instancePath}`
  return keyword === 'additionalProperties'
    ? `${at} has the property "${String(params.additionalProperty)}", which is not known here: remove it, or correct its name`
    : `${at} ${message ?? 'is not valid'}`
}
