// A host with schemas of `typebox` 1.x: typed as that package's own `Static` does, and as @sinclair/typebox beside it.
import { Type as Type034 } from '@sinclair/typebox'
import Fastify from 'fastify'
import { type Static, type TSchema, Type } from 'typebox'
import wsEvents, { type EventData, type EventSchema, type EventTypesOf, type WsEventsOptions } from 'fastify-ws-events'
import { z } from 'zod'
import { exactly } from '../exactly.js'

const schemas = {
  object: Type.Object({ id: Type.String(), note: Type.Optional(Type.String()), at: Type.Readonly(Type.Integer()), old: Type.Readonly(Type.Optional(Type.Null())) }),
  empty: Type.Object({}),
  array: Type.Array(Type.Object({ n: Type.Number() })),
  immutable: Type.Immutable(Type.Array(Type.Boolean())),
  tuple: Type.Tuple([Type.String(), Type.Number()]),
  union: Type.Union([Type.Literal('a'), Type.Literal(1), Type.Null()]),
  intersect: Type.Intersect([Type.Object({ a: Type.String() }), Type.Object({ b: Type.Number() })]),
  enumerated: Type.Enum(['x', 'y']),
  record: Type.Record(Type.String(), Type.Integer()),
  unsafe: Type.Unsafe<{ own: Date }>({ type: 'object' }),
  unknown: Type.Unknown(),
  nested: Type.Object({ inner: Type.Optional(Type.Array(Type.Union([Type.String(), Type.Object({ deep: Type.Literal(true) })]))) })
}

declare const ours: EventTypesOf<typeof schemas>
declare const theirs: { [Name in keyof typeof schemas]: Static<(typeof schemas)[Name]> }
exactly<typeof theirs.object>()(ours.object)
exactly<typeof theirs.empty>()(ours.empty)
exactly<typeof theirs.array>()(ours.array)
exactly<typeof theirs.immutable>()(ours.immutable)
exactly<typeof theirs.tuple>()(ours.tuple)
exactly<typeof theirs.union>()(ours.union)
exactly<{ a: string } & { b: number }>()(ours.intersect)
exactly<typeof theirs.enumerated>()(ours.enumerated)
exactly<{ [key: string]: number }>()(ours.record)
exactly<typeof theirs.unsafe>()(ours.unsafe)
exactly<typeof theirs.unknown>()(ours.unknown)
exactly<typeof theirs.nested>()(ours.nested)

const Tree = Type.Cyclic({ Tree: Type.Object({ name: Type.String(), children: Type.Array(Type.Ref('Tree')) }) }, 'Tree')
declare const tree: EventTypesOf<{ tree: typeof Tree }>['tree']
exactly<string | undefined>()(tree.children[0]?.children[0]?.name)

const events = {
  'order.paid': Type.Object({ id: Type.String(), cents: Type.Integer() }),
  'order.sent': Type034.Object({ id: Type034.String() }),
  'order.seen': true,
  'order.lost': { type: 'object' }
} as const

declare module 'fastify-ws-events' {
  interface EventTypes extends EventTypesOf<typeof events> {}
}

declare const paid: EventData<'order.paid'>
declare const sent: EventData<'ORDER_SENT'>
declare const seen: EventData<'order.seen'>
exactly<{ id: string, cents: number }>()(paid)
exactly<{ id: string }>()(sent)
exactly<unknown>()(seen)

const fastify = Fastify()
await fastify.register(wsEvents, { events })
await fastify.wsEvents.emit('acme', 'order.paid', { id: '1', cents: 1 })
await fastify.wsEvents.emit('acme', 'order.sent', { id: '1' })
// @ts-expect-error -- data against its schema
await fastify.wsEvents.emit('acme', 'order.paid', { id: '1', cents: '1' })
// @ts-expect-error -- something is missing
await fastify.wsEvents.emit('acme', 'ORDER_PAID', { id: '1' })

fastify.wsEvents.handle('send.one', { schema: Type.Object({ id: Type.String() }), handler: ({ data }) => { exactly<{ id: string }>()(data) } })
fastify.wsEvents.handle('send.two', { schema: Type034.Object({ id: Type034.String() }), handler: ({ data }) => { exactly<{ id: string }>()(data) } })
fastify.wsEvents.handle('send.three', { schema: z.toJSONSchema(z.object({ id: z.string() })), handler: ({ data }) => { exactly<unknown>()(data) } })
fastify.wsEvents.handle('send.four', { schema: { type: 'object' }, handler: ({ data }) => { exactly<unknown>()(data) } })
fastify.wsEvents.handle('send.five', { handler: ({ data }) => { exactly<unknown>()(data) } })
// @ts-expect-error -- the handler takes what the schema says
fastify.wsEvents.handle('send.six', { schema: Type.Object({ id: Type.String() }), handler: ({ data }: { data: { id: number } }) => data.id })

// Schemas whose kind only their own package knows, and those of zod's.
declare const some: TSchema
const known: Record<string, EventSchema> = { some, string: Type.String(), made: z.toJSONSchema(z.string()) }
const options: WsEventsOptions = { events: { ...events, ...known } }
void [options, schemas, theirs, Tree]

// @ts-expect-error -- zod's own schema is no JSON Schema
await fastify.register(wsEvents, { events: { a: z.object({ id: z.string() }) } })
// @ts-expect-error -- nor is the maker of one
await fastify.register(wsEvents, { events: { a: Type.String } })
// @ts-expect-error -- nor a list
await fastify.register(wsEvents, { events: { a: ['string'] } })
// @ts-expect-error -- nor a name
fastify.wsEvents.handle('send.seven', { schema: 'string', handler: () => null })
// @ts-expect-error -- nor a boolean
fastify.wsEvents.handle('send.eight', { schema: false, handler: () => null })
