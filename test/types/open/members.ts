// What the other members take and give.
import type { FastifyInstance } from 'fastify'
import { type ClientInfo, errors, type InstanceConfig, type Message, type SkipReason, type Stats, type WsEvents } from 'fastify-ws-events'
import { exactly } from '../exactly.js'

declare const fastify: FastifyInstance
declare const message: Message<{ text: string }>
declare const anyMessage: Message

const { wsEvents } = fastify
exactly<WsEvents>()(wsEvents)

const config = await wsEvents.set('acme', { enabled: true, events: ['MESSAGES_UPSERT', 'messages.update'] })
exactly<InstanceConfig>()(config)
exactly<string>()(config.instance)
exactly<boolean>()(config.enabled)
exactly<string[]>()(config.events)
await wsEvents.set('acme', { enabled: false })
await wsEvents.set('acme', { enabled: true, events: ['QRCODE_UPDATED'] as const })
// @ts-expect-error -- enabled or not: that must be said
await wsEvents.set('acme', { events: [] })
// @ts-expect-error -- an unknown key
await wsEvents.set('acme', { enabled: true, event: [] })
// @ts-expect-error -- a list, not a name
await wsEvents.set('acme', { enabled: true, events: 'MESSAGES_UPSERT' })

const found = await wsEvents.find('acme')
exactly<InstanceConfig | null>()(found)
// @ts-expect-error -- it may never have been set
void found.enabled

exactly<boolean>()(await wsEvents.remove('acme'))

for await (const each of wsEvents.list()) exactly<InstanceConfig>()(each)
// @ts-expect-error -- no array: there may be many
void wsEvents.list().length

const clients = wsEvents.clients()
exactly<ClientInfo[]>()(clients)
wsEvents.clients({ instance: 'acme' })
for (const client of clients) {
  exactly<string | null>()(client.instance)
  exactly<string | null>()(client.address)
  exactly<Date>()(client.since)
  exactly<string[]>()(client.events)
  exactly<number>()(client.queuedBytes)
}
// @ts-expect-error -- an unknown key
wsEvents.clients({ name: 'acme' })

exactly<Promise<void>>()(wsEvents.disconnect({ instance: 'acme' }))
exactly<Promise<void>>()(wsEvents.disconnect({ instance: 'acme', apikey: 'key' }))
// @ts-expect-error -- whom?
await wsEvents.disconnect()
// @ts-expect-error -- an unknown key
await wsEvents.disconnect({ address: '127.0.0.1' })

const stats = wsEvents.stats()
exactly<Stats>()(stats)
exactly<number>()(stats.emit.accepted)
exactly<number>()(stats.emit.skipped['instance-disabled'])
exactly<Record<SkipReason, number>>()(stats.emit.skipped)
exactly<Record<string, number>>()(stats.clients.refused)
// @ts-expect-error -- its name in 0.1
void stats.emitted
// @ts-expect-error -- its name in 0.1
void errors.LIMIT

exactly<string>()(message.data.text)
exactly<string | null>()(message.sender)
exactly<string | null>()(message.server_url)
exactly<string | undefined>()(message.apikey)
exactly<unknown>()(anyMessage.data)

// @ts-expect-error -- an unknown member
wsEvents.broadcast('messages.upsert', {})
