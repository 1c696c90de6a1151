// A host that declares its events by hand.
import type { FastifyInstance } from 'fastify'
import type { ConstantName, EventData, EventName, Message } from 'fastify-ws-events'
import { connect } from 'fastify-ws-events/client'
import { exactly } from '../exactly.js'

declare module 'fastify-ws-events' {
  interface EventTypes {
    'order.paid': { id: string, cents: number }
    'stock-level.changed': number
    ready: null
  }
}

declare const { wsEvents }: FastifyInstance
declare const name: EventName
declare const paid: EventData<'order.paid'>
declare const paidToo: EventData<'ORDER_PAID'>
declare const level: EventData<'STOCK_LEVEL_CHANGED'>
declare const either: EventData<'order.paid' | 'ready'>
declare const constant: ConstantName<'a.b-c.d'>
declare const message: Message<EventData<'order.paid'>>

exactly<'order.paid' | 'ORDER_PAID' | 'stock-level.changed' | 'STOCK_LEVEL_CHANGED' | 'ready' | 'READY'>()(name)
exactly<{ id: string, cents: number }>()(paid)
exactly<{ id: string, cents: number }>()(paidToo)
exactly<number>()(level)
exactly<{ id: string, cents: number } | null>()(either)
exactly<'A_B_C_D'>()(constant)
exactly<number>()(message.data.cents)

await wsEvents.emit('acme', 'order.paid', { id: '1', cents: 100 })
await wsEvents.emit('acme', 'ORDER_PAID', { id: '1', cents: 100 })
await wsEvents.emit('acme', 'stock-level.changed', 7)
await wsEvents.emit('acme', 'STOCK_LEVEL_CHANGED', 7)
await wsEvents.emit('acme', 'ready', null)

// @ts-expect-error -- a name that is not declared
await wsEvents.emit('acme', 'order.payed', { id: '1', cents: 100 })
// @ts-expect-error -- nor is a name of the default catalogue
await wsEvents.emit('acme', 'messages.upsert', {})
// @ts-expect-error -- neither spelling
await wsEvents.emit('acme', 'Order.Paid', { id: '1', cents: 100 })
// @ts-expect-error -- nor half of one
await wsEvents.emit('acme', 'ORDER.PAID', { id: '1', cents: 100 })
// @ts-expect-error -- data of the wrong type
await wsEvents.emit('acme', 'order.paid', { id: 1, cents: 100 })
// @ts-expect-error -- in the other spelling too
await wsEvents.emit('acme', 'ORDER_PAID', { id: 1, cents: 100 })
// @ts-expect-error -- something is missing
await wsEvents.emit('acme', 'order.paid', { id: '1' })
// @ts-expect-error -- something is too much
await wsEvents.emit('acme', 'order.paid', { id: '1', cents: 100, euros: 1 })
// @ts-expect-error -- the data of another event
await wsEvents.emit('acme', 'order.paid', 7)
// @ts-expect-error -- any string will not do
await wsEvents.emit('acme', String(name), null)

// What a client gets is typed by the same declarations, under the dotted names alone: it hears no others.
const client = connect('http://localhost:8080/acme')
client.on('order.paid', ({ data }) => { exactly<{ id: string, cents: number }>()(data) })
client.onAny(({ data }) => { exactly<unknown>()(data) })
// @ts-expect-error -- the other spelling
client.on('ORDER_PAID', () => {})
// @ts-expect-error -- a name that is not declared
client.on('call', () => {})
// @ts-expect-error -- what is in it has options of its own
connect('http://localhost:8080/acme', { auth: {} })
