import type { ErrorObject } from 'ajv'
import type { FastifySchemaCompiler, RouteOptions } from 'fastify'
import { createValidator, describeFault } from '../json-schema.js'

export const validator = createValidator()

export const validatorCompiler: FastifySchemaCompiler<object> = ({ schema }) => validator.compile(schema)

const queryValidator = createValidator({ coerceTypes: true })

/** For routes that take a query. */
export const queryValidatorCompiler: FastifySchemaCompiler<object> = ({ schema, httpPart }) => (httpPart === 'querystring' ? queryValidator : validator).compile(schema)

export const schemaErrorFormatter: NonNullable<RouteOptions['schemaErrorFormatter']> = (faults, where) => {
  const [fault] = faults
  return new Error(fault === undefined ? `${where} is not valid` : describeFault(fault as ErrorObject, where))
}
