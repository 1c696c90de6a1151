/**
 * Types of the parts of an AsyncAPI 3 document that this package generates, after the AsyncAPI specification, version
 * 3.0.0.
 */

/** A reference within the document. */
export interface AsyncApiReference {
  readonly $ref: string
}

/** A JSON Schema, as plain JSON. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown }

/** The document's title, version and description. */
export interface AsyncApiInfo {
  readonly title: string
  readonly version: string
  readonly description?: string
}

/** A server to which clients connect. */
export interface AsyncApiServer {
  readonly host: string
  readonly protocol: string
  readonly pathname: string
  readonly description: string
  readonly variables?: Readonly<Record<string, { readonly default: string, readonly description: string }>>
  readonly security: readonly AsyncApiReference[]
}

/** A channel: a Socket.IO namespace, or a path. */
export interface AsyncApiChannel {
  readonly address: string
  readonly title: string
  readonly description: string
  readonly parameters?: Readonly<Record<string, { readonly description: string }>>
  readonly messages: Readonly<Record<string, AsyncApiReference>>
}

/** An operation: the server sends or receives messages in a channel. */
export interface AsyncApiOperation {
  /** What the server does with the messages. */
  readonly action: 'send' | 'receive'
  readonly channel: AsyncApiReference
  readonly summary: string
  readonly messages: readonly AsyncApiReference[]
  readonly reply?: { readonly channel: AsyncApiReference, readonly messages: readonly AsyncApiReference[] }
}

/** A message: a Socket.IO event. */
export interface AsyncApiMessage {
  /** The name of the Socket.IO event. */
  readonly name: string
  readonly title?: string
  readonly summary: string
  readonly payload: JsonSchema
}

/** An AsyncAPI 3 document, as plain JSON. The AsyncAPI 3.0.0 specification describes each field. */
export interface AsyncApiDocument {
  readonly asyncapi: '3.0.0'
  readonly info: AsyncApiInfo
  readonly defaultContentType: string
  readonly servers: Readonly<Record<string, AsyncApiServer>>
  readonly channels: Readonly<Record<string, AsyncApiChannel>>
  readonly operations: Readonly<Record<string, AsyncApiOperation>>
  readonly components: {
    readonly messages: Readonly<Record<string, AsyncApiMessage>>
    readonly schemas: Readonly<Record<string, JsonSchema>>
    readonly securitySchemes: Readonly<Record<string, Readonly<Record<string, string>>>>
  }
}
