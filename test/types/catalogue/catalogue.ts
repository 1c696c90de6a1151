// A host that takes the types from the catalogue that it registers.
import { Type } from '@sinclair/typebox'
import Fastify from 'fastify'
import wsEvents, { type EventData, type EventTypesOf } from 'fastify-ws-events'
import { exactly } from '../exactly.js'

const events = {
  'order.paid': Type.Object({ id: Type.String(), note: Type.Optional(Type.String()) }),
  'stock-level.changed': Type.Integer(),
  'stock.counted': true,
  'stock.lost': { type: 'object', required: ['id'] }
} as const

declare module 'fastify-ws-events' {
  interface EventTypes extends EventTypesOf<typeof events> {}
}

declare const paid: EventData<'order.paid'>
declare const level: EventData<'STOCK_LEVEL_CHANGED'>
declare const counted: EventData<'stock.counted'>
declare const lost: EventData<'stock.lost'>
declare const mutable: EventTypesOf<{ a: ReturnType<typeof Type.String>, b: true }>

exactly<string>()(paid.id)
exactly<string | undefined>()(paid.note)
exactly<number>()(level)
exactly<unknown>()(counted)
exactly<unknown>()(lost)
exactly<{ a: string, b: unknown }>()(mutable)

const fastify = Fastify()
await fastify.register(wsEvents, { events })

await fastify.wsEvents.emit('acme', 'order.paid', { id: '1' })
await fastify.wsEvents.emit('acme', 'ORDER_PAID', { id: '1', note: 'by card' })
await fastify.wsEvents.emit('acme', 'stock-level.changed', 7)
await fastify.wsEvents.emit('acme', 'stock.counted', ['anything'])
await fastify.wsEvents.emit('acme', 'STOCK_LOST', { id: 1 })

// @ts-expect-error -- a name that is not in the catalogue
await fastify.wsEvents.emit('acme', 'order.payed', { id: '1' })
// @ts-expect-error -- data against its schema
await fastify.wsEvents.emit('acme', 'order.paid', { id: 1 })
// @ts-expect-error -- something is missing
await fastify.wsEvents.emit('acme', 'ORDER_PAID', {})
// @ts-expect-error -- data against its schema
await fastify.wsEvents.emit('acme', 'stock-level.changed', '7')
