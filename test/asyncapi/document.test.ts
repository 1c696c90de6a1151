import { Parser } from '@asyncapi/parser'
import { Type } from '@sinclair/typebox'
import t, { type Test } from 'tap'
import { evolutionEvents, type AsyncApiDocument, type WsEventsOptions } from '../../lib/index.js'
import { register } from '../helpers/register.js'
import { sampleOf } from '../helpers/sample.js'

/** Errors and warnings, as the parser counts severity. */
const WARNING = 1

const parser = new Parser()

/** What the official parser has against a document. */
async function faultsOf (document: AsyncApiDocument): Promise<string[]> {
  const text = JSON.stringify(document)
  const { diagnostics, document: parsed } = await parser.parse(text)
  const faults = diagnostics.filter(({ severity }) => severity <= WARNING).map(({ code, message, path }) => `${String(code)} at ${path.join('/')}: ${message}`)
  return parsed === undefined ? ['it cannot be parsed', ...faults] : faults
}

async function documentOf (t: Test, options: WsEventsOptions): Promise<AsyncApiDocument> {
  return (await register(t, options)).wsEvents.asyncapi()
}

const Tree = Type.Recursive(This => Type.Object({ name: Type.String(), children: Type.Array(This) }))

const events = {
  ...evolutionEvents,
  'order.paid': Type.Object({ id: Type.String(), total: Type.Optional(Type.Number({ minimum: 0 })) }, { description: 'an order was paid' }),
  'order:moved': { type: 'object', properties: { from: { $ref: '#/definitions/place' } }, definitions: { place: { type: 'string', default: { $id: '#x' } } } },
  order_moved: true as const,
  tree: Tree,
  anchored: { $id: 'https://example.com/anchored', $defs: { part: { $id: '#part', type: 'number' } }, properties: { a: { $ref: '#part' }, b: { $ref: 'https://example.com/anchored#/$defs/part' }, c: { $ref: 'https://example.com/anchored' } } },
  result: true as const
}

const settings: Record<string, WsEventsOptions> = {
  'the traditional mode': {},
  'the global mode': { globalEvents: true, serverUrl: 'https://api.example.com:8443/v1' },
  'the disabled mode': { enabled: false },
  'clients of Evolution': { evolution: true, serverUrl: 'http://localhost:8080' },
  'a catalogue of the host': { events, globalEvents: true },
  'an engine at a path of its own': { socketio: { path: '/live/' } }
}

/** The parser compiles its own schemas for each document: here it gets some, in test/long every setting's in both shapes. */
const SHAPES = ['as it is', 'of a title, with handlers'] as const

for (const [turn, [name, options]] of sampleOf([...Object.entries(settings).entries()], 3)) {
  for (const shape of sampleOf(SHAPES, SHAPES.length, turn)) {
    t.test(`the official parser has nothing against the document of ${name}, ${shape}`, async t => {
      const { wsEvents } = await register(t, options)
      if (shape === 'as it is') {
        t.strictSame(await faultsOf(wsEvents.asyncapi()), [])
        return
      }
      wsEvents.handle('send.node', { schema: Type.Object({ stanza: Type.String() }), handler: () => null })
      wsEvents.handle('tree', { schema: Tree, handler: () => null })
      t.strictSame(await faultsOf(wsEvents.asyncapi({ title: 'Events of Acme', version: '2.1.0' })), [])
    })
  }
}

t.test('the parser finds a fault where there is one', async t => {
  const document = await documentOf(t, {})
  t.notSame(await faultsOf({ ...document, info: { title: 'no version' } as never }), [])
})

t.test('it is plain JSON, and the caller\'s own', async t => {
  const { wsEvents } = await register(t, { events })
  const document = wsEvents.asyncapi()
  t.strictSame(JSON.parse(JSON.stringify(document)), document)
  Object.assign(document.components.messages, { call: null })
  t.not(wsEvents.asyncapi().components.messages.call, null)
})

t.test('its channels are the namespaces of the mode', async t => {
  const addresses = async (options: WsEventsOptions) => Object.values((await documentOf(t, options)).channels).map(({ address }) => address)
  t.strictSame(await addresses({}), ['/{instance}'])
  t.strictSame(await addresses({ globalEvents: true }), ['/', '/{instance}'])
  t.strictSame(await addresses({ enabled: false }), [])
})

t.test('the server is where serverUrl says, at the path of the engine', async t => {
  const server = async (options: WsEventsOptions) => (await documentOf(t, options)).servers.socketio
  t.match(await server({ serverUrl: 'https://api.example.com/v1' }), { host: 'api.example.com', protocol: 'wss', pathname: '/socket.io/' })
  t.match(await server({ serverUrl: 'http://10.0.0.1:8080' }), { host: '10.0.0.1:8080', protocol: 'ws' })
  t.match(await server({ socketio: { path: '/live/' } }), { host: '{host}', pathname: '/live/', variables: { host: { default: 'localhost:8080' } } })
  t.strictSame((await server({}))?.security.length, 4)
})

t.test('a schema of the host stands there as it is, and refers to itself where it stands', async t => {
  const { components: { messages, schemas } } = await documentOf(t, { events })
  t.match(messages['order.paid'], { name: 'order.paid', title: 'ORDER_PAID', summary: 'an order was paid', payload: { properties: { data: { $ref: '#/components/schemas/order.paid.data' } } } })
  t.strictSame(schemas['order.paid.data'], JSON.parse(JSON.stringify(events['order.paid'])))
  t.strictSame(schemas['order_moved.data'], {
    type: 'object',
    properties: { from: { $ref: '#/components/schemas/order_moved.data/definitions/place' } },
    definitions: { place: { type: 'string', default: { $id: '#x' } } }
  })
  t.match(schemas['tree.data'], { properties: { children: { items: { $ref: '#/components/schemas/tree.data' } } } })
  t.strictSame((schemas['anchored.data'] as { properties: object }).properties, {
    a: { $ref: '#/components/schemas/anchored.data/%24defs/part' },
    b: { $ref: '#/components/schemas/anchored.data/$defs/part' },
    c: { $ref: '#/components/schemas/anchored.data' }
  })
  t.match([messages.order_moved, messages.order_moved_2], [{ name: 'order:moved' }, { name: 'order_moved' }], 'a name that may be no key has a key of its own')
  t.match([messages.result, messages.result_2], [{ summary: /handler/ }, { name: 'result', title: 'RESULT' }])
})

t.test('a property or a value that is called like a keyword is none', async t => {
  const place = '#/components/schemas/a.data'
  const properties = { $ref: { type: 'string' }, $id: { type: 'string' }, enum: { $ref: '#/$defs/b' } }
  const { components } = await documentOf(t, { events: { a: { properties, const: { $ref: '#' }, $defs: { b: { enum: [{ $ref: '#' }] } } } } })
  t.strictSame(components.schemas['a.data'], { properties: { ...properties, enum: { $ref: `${place}/$defs/b` } }, const: { $ref: '#' }, $defs: { b: { enum: [{ $ref: '#' }] } } })
})

t.test('what clients may send is there as soon as it is handled', async t => {
  const { wsEvents } = await register(t, { globalEvents: true })
  t.notOk(wsEvents.asyncapi().operations.receiveMessage)
  wsEvents.handle('send.node', { schema: Type.Object({ stanza: Type.String() }, { description: 'Sends a stanza' }), handler: () => null })
  const { operations, components, channels } = wsEvents.asyncapi()
  t.match(components.messages['send.node.request'], { name: 'send.node', summary: 'Sends a stanza' })
  t.match(components.schemas['send.node.request.data'], { required: ['stanza'] })
  for (const [name, channel] of [['receiveMessage', 'root'], ['receiveInstanceMessage', 'instance']] as const) {
    t.match(operations[name], { action: 'receive', messages: [{ $ref: `#/channels/${channel}/messages/send.node.request` }], reply: { messages: [{ $ref: `#/channels/${channel}/messages/result` }] } })
    t.ok(channels[channel]?.messages['send.node.request'])
  }
})

t.test('title, version and description are the caller\'s, where they are given', async t => {
  const { wsEvents } = await register(t)
  t.match(wsEvents.asyncapi().info, { title: 'Events', version: '1.0.0', description: /Socket\.IO/ })
  t.strictSame(wsEvents.asyncapi({ title: 'A', version: '2', description: 'C' }).info, { title: 'A', version: '2', description: 'C' })
})
