import t from 'tap'
import type { Message, WsEventsOptions } from '../lib/index.js'
import { listen, transports } from './helpers/client.js'
import { EventStream } from './helpers/event-stream.js'
import { hostValues } from './helpers/payloads.js'
import { startServer } from './helpers/server.js'

const open: WsEventsOptions = { defaultConfig: { enabled: true } }
const picture = Buffer.from('picture')

/** Every value with a Buffer beside it. */
const besideBuffer = (values: typeof hostValues): unknown[] => values.map(([, make]) => ({ picture, value: make() }))
const asText = (values: typeof hostValues): Array<string | undefined> => values.map(([, make]) => JSON.stringify({ value: make() }))

function withoutPicture (data: unknown): { bytes: unknown, text: string } {
  const { picture: bytes, ...rest } = data as { picture: unknown }
  return { bytes, text: JSON.stringify(rest) }
}

for (const transport of transports) {
  for (const fastPath of [true, false]) {
    t.test(`beside a Buffer, data arrives as by JSON.stringify: ${transport}, fastPath: ${String(fastPath)}`, async t => {
      // Socket.IO's own encoder, which fastPath: false asks for, drops an own key __proto__ beside binary.
      const values = fastPath ? hostValues : hostValues.filter(([name]) => !name.includes('__proto__'))
      const { fastify, url } = await startServer(t, { ...open, fastPath })
      const { inbox } = await listen(t, `${url}/acme`, { transports: [transport] })
      for (const data of besideBuffer(values)) await fastify.wsEvents.emit('acme', 'call', data)
      const messages = await inbox.got(values.length)
      const received = messages.map(({ data }) => withoutPicture(data))
      t.strictSame(received.map(({ text }) => text), asText(values))
      t.ok(received.every(({ bytes }) => picture.equals(bytes as Buffer)))
    })
  }
}

t.test('an event stream and a page have it too, with the bytes in base64', async t => {
  const { fastify, url } = await startServer(t, open)
  const stream = await EventStream.open(t, `${url}/instance/acme/events`)
  const emitted = []
  for (const data of besideBuffer(hostValues)) emitted.push(await fastify.wsEvents.emit('acme', 'call', data))
  const messages = await stream.got(hostValues.length)
  const page = await fetch(`${url}/instance/acme/events?after=${emitted[0]?.id}`, { headers: { accept: 'application/json' } })
  const { events } = await page.json() as { events: Message[] }
  for (const [found, expected] of [[messages, asText(hostValues)], [events, asText(hostValues).slice(1)]] as const) {
    const received = found.map(({ data }) => withoutPicture(data))
    t.strictSame(received.map(({ text }) => text), expected)
    for (const { bytes } of received) t.strictSame(bytes, { type: 'Buffer', data: picture.toString('base64') })
  }
})

t.test('the acknowledgement of handle has it too', async t => {
  const { fastify, url } = await startServer(t, open)
  const { socket } = await listen(t, `${url}/acme`)
  const values = hostValues.filter(([name]) => !name.includes('__proto__'))
  let reads = 0
  fastify.wsEvents.handle('ask', { handler: ({ data }) => ({ picture, value: values[data as number]?.[1](), get reads () { return ++reads } }) })
  for (const [index, text] of asText(values).entries()) {
    const { reads: once, ...answer } = await socket.timeout(10_000).emitWithAck('ask', index) as { reads: number }
    t.equal(withoutPicture(answer).text, text, values[index]?.[0] ?? '')
    t.equal(once, index + 1)
  }
})
