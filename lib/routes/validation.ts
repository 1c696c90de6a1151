import type { ErrorObject } from 'ajv'
import type { FastifySchemaCompiler, FastifySerializerCompiler, RouteOptions } from 'fastify'
import { createValidator, describeFault } from '../host/json-schema.js'

export const validator = createValidator()

export const validatorCompiler: FastifySchemaCompiler<object> = ({ schema }) => validator.compile(schema)

const queryValidator = createValidator({ coerceTypes: true })

/** For routes that take a query. */
export const queryValidatorCompiler: FastifySchemaCompiler<object> = ({ schema, httpPart }) =>
  (httpPart === 'querystring' ? queryValidator : validator).compile(schema)

export const schemaErrorFormatter: NonNullable<RouteOptions['schemaErrorFormatter']> = (faults, where) => {
  const [fault] = faults
  return new Error(fault === undefined ? `${where} is not valid` : describeFault(fault as ErrorObject, where))
}

/** Fastify hands an error over with `error`, `message` and `statusCode` on it, none of which JSON would list. */
function textOf (payload: unknown): string {
  if (!(payload instanceof Error)) return JSON.stringify(payload)
  const { statusCode, code, error, message } = payload as Error & { statusCode?: number, code?: string, error?: string }
  return JSON.stringify({ statusCode, code, error, message })
}

/**
 * For every route with a schema of its answers: a host may set a compiler for the root that takes no JSON Schema
 * (zod's). The schemas of answers are documentation. They neither drop nor demand anything, so that an error handler or
 * a hook of the host's may answer in a form of its own.
 */
export const serializerCompiler: FastifySerializerCompiler<object> = () => textOf

/** What every route brings along, whatever the host has set for the root. */
export const compilers = { validatorCompiler, serializerCompiler, schemaErrorFormatter }
