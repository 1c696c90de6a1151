import { Ajv, type ErrorObject } from 'ajv'
import addFormats from 'ajv-formats'

/**
 * A validator for JSON Schema, made by any version of TypeBox or written by hand. Unlike Fastify's own it neither
 * drops unknown properties nor coerces types: both are errors.
 * Only the first fault is looked for: there may be as many as the data has parts.
 */
export function createValidator (): Ajv {
  const ajv = new Ajv({ strict: false, allErrors: false, coerceTypes: false, removeAdditional: false, useDefaults: false })
  addFormats.default(ajv)
  return ajv
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
