import type { Ajv, ErrorObject, ValidateFunction } from 'ajv'
import type { FastifySchemaCompiler, FastifySerializerCompiler, RouteOptions } from 'fastify'
import { createValidator, describeFault } from '../host/json-schema.js'

/** As Fastify takes it: `value` takes the place of what was checked. */
type Result = true | { readonly value: unknown } | { readonly error: ErrorObject[] }

/** Made for the first schema that is compiled. */
const validatorFor = (options: { coerceTypes?: boolean }): () => Ajv => {
  let validator: Ajv | undefined
  return () => (validator ??= createValidator(options))
}

const validator = validatorFor({})
const queryValidator = validatorFor({ coerceTypes: true })

/** Compiles a schema for the first request that it checks: it takes longer than all else of registering a route. */
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
    return faults === null ? true : { error: isQuery ? faults.map(withoutKey) : faults }
  }
}

/** For routes that take a query, in which all is text. */
export const queryValidatorCompiler: FastifySchemaCompiler<object> = route => {
  if (route.httpPart !== 'querystring') return validatorCompiler(route)
  const faultsOf = lazily(route.schema, queryValidator)
  return (query: unknown): Result => {
    const faults = faultsOf(query)
    return faults === null ? { value: query } : { error: faults.map(withoutKey) }
  }
}

/** So much of the name of a parameter is shown. */
const SHOWN = /^[a-z_]{1,20}/i

/**
 * A fault with as much of an unknown parameter's name as is a word. It goes to the log, and what a caller meant as a
 * key may stand in the name (`?apikey%3DKEY`).
 */
function withoutKey (fault: ErrorObject): ErrorObject {
  if (fault.keyword !== 'additionalProperties') return fault
  const name = String(fault.params.additionalProperty)
  const [shown = ''] = SHOWN.exec(name) ?? []
  return { ...fault, params: { additionalProperty: shown === name ? name : `${shown}…` } }
}

/**
 * Checks a body against the one of a schema's two forms that it means to have, so that the error says what is wrong
 * with it.
 *
 * @param isFirst whether a body means to have the first one
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
