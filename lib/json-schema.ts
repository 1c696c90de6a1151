import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import { reasonOf } from './errors.js'

/**
 * A validator for JSON Schema, made by any version of TypeBox or written by hand. Unlike Fastify's own it neither
 * drops unknown properties nor coerces types: both are errors.
 * Only the first fault is looked for: there may be as many as the data has parts.
 *
 * @param coerceTypes for a query, where all is text: `10` is a number then
 */
export function createValidator ({ coerceTypes = false } = {}): Ajv {
  const ajv = new Ajv({ strict: false, allErrors: false, coerceTypes, removeAdditional: false, useDefaults: false })
  addFormats.default(ajv)
  return ajv
}

/**
 * What is wrong with data, in words; `undefined` when it is valid. It may be too deep to be looked through, or have
 * getters that throw.
 *
 * @param where it is, as in {@link describeFault}
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
 * What is wrong, in words that name the property, which Ajv's own message for an unknown one does not.
 *
 * @param where what was checked: `body`, `data`
 */
export function describeFault ({ instancePath, keyword, params, message }: ErrorObject, where: string): string {
  const at = `${where}${instancePath}`
  return keyword === 'additionalProperties'
    ? `${at} has the property "${String(params.additionalProperty)}", which is not known here: remove it, or correct its name`
    : `${at} ${message ?? 'is not valid'}`
}
