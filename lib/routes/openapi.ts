import type { FastifySchema } from 'fastify'

/** How a key comes, as OpenAPI says it. Routes name these two in `security`. */
const SCHEMES = {
  apikey: { type: 'apiKey', in: 'header', name: 'apikey', description: 'The global key, or the key of an instance' },
  bearer: { type: 'http', scheme: 'bearer', description: 'The same key, as Authorization: Bearer' }
}
/** Swagger 2 knows no bearer tokens. */
const SWAGGER_2_SCHEMES = { ...SCHEMES, bearer: { ...SCHEMES.apikey, name: 'authorization' } }

/** What @fastify/swagger hands over of the document that it makes. */
interface TransformInput {
  readonly schema: FastifySchema
  readonly url: string
  readonly openapiObject?: { components: { securitySchemes?: object } }
  readonly swaggerObject?: { securityDefinitions?: object }
}

/**
 * Puts the two schemes into the document of a host that has described none, or others: @fastify/swagger makes no
 * document at all when a route names one that is missing.
 */
function swaggerTransform ({ schema, url, openapiObject, swaggerObject }: TransformInput): { schema: FastifySchema, url: string } {
  if (openapiObject !== undefined) openapiObject.components.securitySchemes = { ...SCHEMES, ...openapiObject.components.securitySchemes }
  if (swaggerObject !== undefined) swaggerObject.securityDefinitions = { ...SWAGGER_2_SCHEMES, ...swaggerObject.securityDefinitions }
  return { schema, url }
}

/** The `config` of a route that shows up in the host's OpenAPI document. */
export const documented: object = { swaggerTransform }
