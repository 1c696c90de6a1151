import type { FastifySchema } from 'fastify'

/** How a key comes, as OpenAPI says it. Routes name these in `security`. */
const SCHEMES = {
  apikey: { type: 'apiKey', in: 'header', name: 'apikey', description: 'The global key, or the key of an instance' },
  bearer: { type: 'http', scheme: 'bearer', description: 'The same key, as Authorization: Bearer' },
  basic: { type: 'http', scheme: 'basic', description: 'To publish alone: the key as the password, with any user' }
}
/** Swagger 2 knows no bearer tokens. */
const SWAGGER_2_SCHEMES = {
  ...SCHEMES,
  bearer: { ...SCHEMES.apikey, name: 'authorization' },
  basic: { type: 'basic', description: SCHEMES.basic.description }
}

/** What @fastify/swagger hands over of the document that it makes. */
interface TransformInput {
  readonly schema: FastifySchema
  readonly url: string
  readonly openapiObject?: { openapi?: string, components: { securitySchemes?: object } }
  readonly swaggerObject?: { securityDefinitions?: object }
}

/**
 * Puts the schemes into the document of a host that has described none, or others: @fastify/swagger makes no
 * document at all when a route names one that is missing.
 */
function swaggerTransform ({
  schema,
  url,
  openapiObject,
  swaggerObject
}: TransformInput): { schema: FastifySchema, url: string } {
  if (openapiObject !== undefined) {
    openapiObject.components.securitySchemes = { ...SCHEMES, ...openapiObject.components.securitySchemes }
  }
  if (swaggerObject !== undefined) {
    swaggerObject.securityDefinitions = { ...SWAGGER_2_SCHEMES, ...swaggerObject.securityDefinitions }
  }
  // Version 3.1 takes JSON Schema as it is.
  if (openapiObject?.openapi?.startsWith('3.0') === true) {
    return { schema: withOneExample(schema) as FastifySchema, url }
  }
  return {
    schema: swaggerObject === undefined
      ? schema
      : withOneBody(withoutAlternatives(withOneExample(schema))) as FastifySchema,
    url
  }
}

type Rewrite = (schema: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>

/** Changes a schema and all that are in it. */
function throughout (schema: unknown, rewrite: Rewrite): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  if (Array.isArray(schema)) return schema.map(each => throughout(each, rewrite))
  return Object.fromEntries(Object.entries(rewrite(schema as Record<string, unknown>))
    .map(([key, value]) => [key, throughout(value, rewrite)]))
}

/** Before version 3.1 a schema has one example. */
const withOneExample = (schema: unknown): unknown => throughout(schema, ({ examples, ...rest }) =>
  Array.isArray(examples) ? { ...rest, example: examples[0] as unknown } : rest)

/** Swagger 2 knows no alternatives: the first stands for all. */
const withoutAlternatives = (schema: unknown): unknown => throughout(schema, ({ anyOf, ...rest }) =>
  Array.isArray(anyOf) ? { ...anyOf[0] as object, ...rest } : rest)

/** Nor does it know answers of several types: the one in JSON stands for all. */
const withOneBody = (schema: unknown): unknown => throughout(schema, ({ content, ...rest }) => {
  const { 'application/json': json } = (content ?? {}) as { readonly 'application/json'?: { readonly schema: object } }
  return json === undefined ? { ...rest, ...content !== undefined && { content } } : { ...json.schema, ...rest }
})

/** The `config` of a route that shows up in the host's OpenAPI document. */
export const documented: object = { swaggerTransform }
