// A host that declares no events: any name and any data compile.
import type { FastifyInstance } from 'fastify'
import type { EmitResult, EventName, EventTypes, Mode, SkipReason } from 'fastify-ws-events'
import { exactly } from '../exactly.js'

declare const fastify: FastifyInstance
declare const name: EventName
declare const declared: keyof EventTypes

exactly<string>()(name)
exactly<never>()(declared)
exactly<Mode>()(fastify.wsEvents.mode)

const result = await fastify.wsEvents.emit('acme', 'messages.upsert', { text: 'hello' })
exactly<EmitResult>()(result)
exactly<string | null>()(result.id)
exactly<string[]>()(result.routes)
exactly<SkipReason | undefined>()(result.skipped)

await fastify.wsEvents.emit('acme', 'MESSAGES_UPSERT', null)
await fastify.wsEvents.emit('acme', `chats.${Date.now()}`, Buffer.from('any data'))
await fastify.wsEvents.emit('acme', 'messages.upsert', {}, {
  sender: '5511@s.whatsapp.net', dateTime: new Date(), apikey: 'key', extra: { destination: 'x' }
})
await fastify.wsEvents.emit('acme', 'messages.upsert', {}, { sender: null, dateTime: Date.now() })

// @ts-expect-error -- the data is missing
await fastify.wsEvents.emit('acme', 'messages.upsert')
// @ts-expect-error -- a name is a string
await fastify.wsEvents.emit('acme', 1, {})
// @ts-expect-error -- so is an instance
await fastify.wsEvents.emit(1, 'messages.upsert', {})
// @ts-expect-error -- an unknown option
await fastify.wsEvents.emit('acme', 'messages.upsert', {}, { from: 'me' })
// @ts-expect-error -- an option of the wrong type
await fastify.wsEvents.emit('acme', 'messages.upsert', {}, { sender: 1 })
// @ts-expect-error -- the mode is not for the host to change
fastify.wsEvents.mode = 'global'
