import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import type { FastifySchemaCompiler, RouteOptions } from 'fastify'

/** Fastify's own validator drops unknown properties in silence and coerces types; here both are errors. */
const ajv = new Ajv({ strict: false, allErrors: false, coerceTypes: false, removeAdditional: false, useDefaults: false })
addFormats.default(ajv)

export const validatorCompiler: FastifySchemaCompiler<object> = ({ schema }) => ajv.compile(schema)

/** Names the property, which Ajv's own message for an unknown one does not. */
export const schemaErrorFormatter: NonNullable<RouteOptions['schemaErrorFormatter']> = (errors, where) => {
  // `if` only says that the branch that applies has failed; the branch says why.
  const fault = errors.find(({ keyword }) => keyword !== 'if') ?? errors[0]
  const at = `${where}${fault?.instancePath ?? ''}`
  const unknown = fault?.keyword === 'additionalProperties' ? fault.params.additionalProperty : undefined
  return new Error(unknown === undefined
    ? `${at} ${fault?.message ?? 'is not valid'}`
    : `${at} has the property "${String(unknown)}", which is not known here: remove it, or correct its name`)
}
