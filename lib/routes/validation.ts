import type { Ajv, ErrorObject, ValidateFunction } from 'ajv'
import type { FastifySchemaCompiler, FastifySerializerCompiler, RouteOptions } from 'fastify'
import { createValidator, describeFault } from '../host/json-schema.js'

/** The result of a validator in Fastify: `value` replaces the validated value. */
type Result = true | { readonly value: unknown } | { readonly error: ErrorObject[] }

/** Returns a validator that is created on first use. */
const validatorFor = (options: { coerceTypes?: boolean }): () => Ajv => {
  let validator: Ajv | undefined
  return () => (validator ??= createValidator(options))
}

const validator = validatorFor({})
const queryValidator = validatorFor({ coerceTypes: true })

/** Compiles a schema on its first request: compiling takes longer than the rest of registering a route. */
function lazily (schema: object, ajv: () => Ajv): (data: unknown) => ErrorObject[] | null {
  let validate: ValidateFunction | undefined
  return data => {
    validate ??= ajv().compile(schema)
    return validate(data) ? null : validate.errors ?? []
  }
}

export const validatorCompiler: FastifySchemaCompiler<object> = ({ schema, httpPart }) => {
  const faultsOf = lazily(schema, validator)
  const isQuery = httpPart === 'querystring'
  return (data: unknown): Result => {
    const faults = faultsOf(data)
    return faults === null ? true : { error: isQuery ? faults.map(withShortName) : faults }
  }
}

/** For routes with a query, where every value is a text. */
export const queryValidatorCompiler: FastifySchemaCompiler<object> = route => {
  if (route.httpPart !== 'querystring') return validatorCompiler(route)
  const faultsOf = lazily(route.schema, queryValidator)
  return (query: unknown): Result => {
    const faults = faultsOf(query)
    return faults === null ? { value: query } : { error: faults.map(withShortName) }
  }
}

/** The part of a parameter's name that an error may show. */
const SHOWN = /^[a-z_]{1,20}/i

/**
 * Shortens the name of an unknown parameter in an error to its first word. The error is logged, and the name may
 * contain a key that the caller sent in a wrong way (`?apikey%3DKEY`).
 */
function withShortName (fault: ErrorObject): ErrorObject {
  if (fault.keyword !== 'additionalProperties') return fault
  const name = String(fault.params.additionalProperty)
  const [shown = ''] = SHOWN.exec(name) ?? []
  return { ...fault, params: { additionalProperty: shown === name ? name : `${shown}…` } }
}

/**
 * Validates a body against one of a schema's two forms, so that the error describes what is wrong in that form.
 *
 * @param isFirst whether a body has the first form
 */
export const eitherForm = (isFirst: (body: unknown) => boolean): FastifySchemaCompiler<object> => route => {
  if (route.httpPart !== 'body') return validatorCompiler(route)
  const { anyOf: [first, second] } = route.schema as { anyOf: [object, object] }
  const forms = { first: lazily(first, validator), second: lazily(second, validator) }
  return (body: unknown): Result => {
    const faults = forms[isFirst(body) ? 'first' : 'second'](body)
    return faults === null ? true : { error: faults }
  }
}

export const schemaErrorFormatter: NonNullable<RouteOptions['schemaErrorFormatter']> = (faults, where) => {
  const [fault] = faults
  return new Error(fault === undefined ? `${where} is not valid` : describeFault(fault as ErrorObject, where))
}

/**
 * Fastify passes an error with `error`, `message` and `statusCode`, which JSON would not include because they are not
 * enumerable.
 */
function textOf (payload: unknown): string {
  if (!(payload instanceof Error)) return JSON.stringify(payload)
  const { statusCode, code, error, message } = payload as Error & { statusCode?: number, code?: string, error?: string }
  return JSON.stringify({ statusCode, code, error, message })
}

/**
 * For every route with a response schema. The application may have set a serializer for the whole server that cannot
 * read JSON Schema (zod's). Here response schemas are documentation only: they remove nothing and require nothing, so
 * that an error handler or a hook of the application may answer in another form.
 */
export const serializerCompiler: FastifySerializerCompiler<object> = () => textOf

/** The compilers that every route sets, regardless of the application's. */
export const compilers = { validatorCompiler, serializerCompiler, schemaErrorFormatter }
