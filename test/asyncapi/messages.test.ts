import { Type } from '@sinclair/typebox'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import t, { type Test } from 'tap'
import { evolutionEvents, type AsyncApiDocument } from '../../lib/index.js'
import { Follower, resume } from '../helpers/resume.js'
import { connect } from '../helpers/client.js'
import { startServer } from '../helpers/server.js'

const events = { ...evolutionEvents, 'order.paid': Type.Object({ id: Type.String() }, { additionalProperties: false }) }

/** What a document says that a message must be. */
function checkerOf (document: AsyncApiDocument): (key: string, payload: unknown) => string | null {
  const ajv = new Ajv({ strict: false })
  addFormats.default(ajv)
  ajv.addSchema({ $id: 'document', ...document })
  return (key, payload) => {
    const validate = ajv.getSchema(`document#/components/messages/${key}/payload`)
    if (validate === undefined) return `${key} is not described`
    return validate(payload) === true ? null : ajv.errorsText(validate.errors)
  }
}

function agree (t: Test, document: AsyncApiDocument, payloads: ReadonlyArray<readonly [key: string, payload: unknown]>): void {
  const check = checkerOf(document)
  for (const [key, payload] of payloads) t.equal(check(key, payload), null, `${key}: ${JSON.stringify(payload)}`)
}

t.test('what clients get is what the document says', async t => {
  for (const globalEvents of [false, true]) {
    const { fastify, url } = await startServer(t, { globalEvents, events, serverUrl: 'https://api.example.com', defaultConfig: { enabled: true } })
    const document = fastify.wsEvents.asyncapi()
    for (const namespace of globalEvents ? ['/', '/acme'] : ['/acme']) {
      const { socket, inbox, ready } = await resume(t, `${url}${namespace}`, '')
      await fastify.wsEvents.emit('acme', 'order.paid', { id: '1' }, { sender: 'me', extra: { isLatest: true } })
      await fastify.wsEvents.emit('acme', 'call', [1, 'two', null], { apikey: 'a-key', dateTime: 0 })
      const messages = await inbox.got(2)
      const filter: unknown = await socket.emitWithAck('subscribe', { events: ['call'] })
      const refusal: unknown = await socket.emitWithAck('subscribe', { events: ['no.such'] })
      t.strictSame(filter, ['call'])
      agree(t, document, [
        ['ws.ready', ready],
        ...messages.map(message => [message.event, message] as const),
        ['subscribe', { events: ['call'] }],
        ['acknowledgement', filter],
        ['acknowledgement', refusal]
      ])
      socket.disconnect()
    }
  }
})

t.test('a client that comes back is told what the document says', async t => {
  const { fastify, url } = await startServer(t, { defaultConfig: { enabled: true } })
  const first = new Follower(t, `${url}/acme`)
  while (first.readies.length === 0) await new Promise(resolve => { setImmediate(resolve) })
  const unknown = await resume(t, `${url}/acme`, 'no id of this log')
  const known = await resume(t, `${url}/acme`, first.readies[0]?.lastEventId)
  t.strictSame([first.readies[0]?.recovered, unknown.ready.recovered, known.ready.recovered], [null, false, true])
  agree(t, fastify.wsEvents.asyncapi(), [first.readies[0], unknown.ready, known.ready].map(ready => ['ws.ready', ready] as const))
})

t.test('a refusal at connect is what the document says', async t => {
  const { fastify, url } = await startServer(t, { apikey: 'the-global-key' })
  const refusal: unknown = await new Promise(resolve => {
    connect(t, `${url}/acme`).once('connect_error', error => { resolve((error as Error & { data?: unknown }).data) })
  })
  agree(t, fastify.wsEvents.asyncapi(), [['acknowledgement', refusal]])
})

t.test('what a handler answers is what the document says', async t => {
  const { fastify, url } = await startServer(t, { defaultConfig: { enabled: true } })
  fastify.wsEvents.handle('send.node', { schema: Type.Object({ stanza: Type.String() }), handler: ({ data }) => ({ sent: data.stanza }) })
  const { socket } = await resume(t, `${url}/acme`, '')
  const request = { stanza: 'iq' }
  const result: unknown = await socket.emitWithAck('send.node', request)
  const refusal: unknown = await socket.emitWithAck('send.node', { stanza: 5 })
  t.match([result, refusal], [{ sent: 'iq' }, { code: /INVALID_DATA/ }])
  agree(t, fastify.wsEvents.asyncapi(), [['send.node.request', request], ['result', result], ['result', refusal]])
})

t.test('what is no message of the document is found out', async t => {
  const { fastify, url } = await startServer(t, { events, defaultConfig: { enabled: true } })
  const { inbox } = await resume(t, `${url}/acme`, '')
  await fastify.wsEvents.emit('acme', 'order.paid', { id: '1' })
  const [message] = await inbox.got(1)
  const check = checkerOf(fastify.wsEvents.asyncapi())
  t.match(check('order.paid', { ...message, data: { id: 5 } }), /must be string/)
  t.match(check('order.paid', { ...message, event: 'call' }), /equal to constant/)
  t.match(check('order.paid', { ...message, date_time: 'yesterday' }), /date-time/)
  t.match(check('ws.ready', { recovered: 'yes' }), /must/)
})
