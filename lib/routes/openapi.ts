import type { FastifySchema } from 'fastify'

/** The ways to send a key, as OpenAPI security schemes. Routes name them in `security`. */
const SCHEMES = {
  apikey: { type: 'apiKey', in: 'header', name: 'apikey', description: 'The global key, or the key of an instance' },
  bearer: { type: 'http', scheme: 'bearer', description: 'The same key, as Authorization: Bearer' },
  basic: { type: 'http', scheme: 'basic', description: 'To publish alone: the key as the password, with any user' }
}
/** Swagger 2 has no scheme for bearer tokens. */
const SWAGGER_2_SCHEMES = {
  ...SCHEMES,
  bearer: { ...SCHEMES.apikey, name: 'authorization' },
  basic: { type: 'basic', description: SCHEMES.basic.description }
}

/** The argument of @fastify/swagger's `transform`: a route and the whole document. */
interface TransformInput {
  readonly schema: FastifySchema
  readonly url: string
  readonly openapiObject?: { openapi?: string, components: { securitySchemes?: object } }
  readonly swaggerObject?: { securityDefinitions?: object }
}

/**
 * Adds the security schemes to the application's document if it lacks them: @fastify/swagger fails when a route names a
 * missing scheme.
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
  // OpenAPI 3.1 accepts JSON Schema unchanged.
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

/** Applies `rewrite` to a schema and to all schemas within it. */
function throughout (schema: unknown, rewrite: Rewrite): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  if (Array.isArray(schema)) return schema.map(each => throughout(each, rewrite))
  return Object.fromEntries(Object.entries(rewrite(schema as Record<string, unknown>))
    .map(([key, value]) => [key, throughout(value, rewrite)]))
}

/** Before OpenAPI 3.1, a schema has one example. */
const withOneExample = (schema: unknown): unknown => throughout(schema, ({ examples, ...rest }) =>
  Array.isArray(examples) ? { ...rest, example: examples[0] as unknown } : rest)

/** Swagger 2 has no `anyOf`: only the first alternative is documented. */
const withoutAlternatives = (schema: unknown): unknown => throughout(schema, ({ anyOf, ...rest }) =>
  Array.isArray(anyOf) ? { ...anyOf[0] as object, ...rest } : rest)

/** Swagger 2 has one body for each response: only the JSON one is documented. */
const withOneBody = (schema: unknown): unknown => throughout(schema, ({ content, ...rest }) => {
  const { 'application/json': json } = (content ?? {}) as { readonly 'application/json'?: { readonly schema: object } }
  return json === undefined ? { ...rest, ...content !== undefined && { content } } : { ...json.schema, ...rest }
})

/** The `config` of a route that the application's OpenAPI document includes. */
export const documented: object = { swaggerTransform }
