import t from 'tap'
import { admitted, disconnected, Inbox, refused, transports } from '../helpers/client.js'
import { startServer } from '../helpers/server.js'
import { enabled, hear, oneConnection } from '../limits/setup.js'

const ALREADY_JOINED = { code: 'FST_ERR_WS_EVENTS_ALREADY_JOINED', statusCode: 409, retry: false }

/** Two spellings of one instance, and its name. */
const SPELLINGS = [
  ['acme', '/acme', '/%61cme'],
  ['acme', '/%61cme', '/acme'],
  ['acme', '/acme', '/acme/'],
  ['acme', '/acme/', '/acme'],
  ['acme', '/%61cme', '/acm%65'],
  ['a b', '/a b', '/a%20b'],
  ['caf\u00e9', '/caf\u00e9', '/cafe\u0301'],
  ['caf\u00e9', '/cafe\u0301', '/caf%C3%A9'],
  ['caf\u00e9', '/caf%c3%a9', '/caf%C3%A9']
] as const

for (const transport of transports) {
  t.test(`over ${transport}, a connection is in an instance once, however its name is spelled`, async t => {
    for (const [instance, first, second] of SPELLINGS) {
      const what = JSON.stringify([first, second])
      const server = await startServer(t, enabled)
      const manager = oneConnection(t, server.url, transport)
      const socket = await admitted(manager.socket(first))
      const inbox = new Inbox(socket)
      t.match(await refused(manager.socket(second)), ALREADY_JOINED, `${what}: in`)
      const other = manager.socket('/other')
      await admitted(other)
      await hear(t, server, instance, [inbox])
      t.equal(inbox.messages.length, 1, `${what}: once`)
      socket.disconnect()
      const again = manager.socket(second)
      await admitted(again.connect())
      t.strictSame(server.fastify.wsEvents.clients({ instance }).length, 1, `${what}: after it has left`)
      t.match(await refused(socket.connect()), ALREADY_JOINED, `${what}: and then the first is refused`)
      const elsewhere = oneConnection(t, server.url, transport)
      await admitted(elsewhere.socket(second))
      t.equal(server.fastify.wsEvents.clients({ instance }).length, 2, `${what}: on another connection`)
      t.match(server.fastify.wsEvents.stats().clients.refused, { ALREADY_JOINED: 2 })
      const gone = disconnected(again)
      await server.fastify.wsEvents.remove(instance)
      await gone
      t.ok(await admitted(manager.socket(first).connect()), `${what}: after its removal`)
    }
  })

  t.test(`over ${transport}, an instance that a connection is still joining counts`, async t => {
    for (const [instance, first, second] of SPELLINGS) {
      const what = JSON.stringify([first, second])
      const answers: Array<(answer: boolean) => void> = []
      let asked: () => void = () => {}
      const isAsked = new Promise<void>(resolve => { asked = resolve })
      const verify = async (): Promise<boolean> => {
        asked()
        return await new Promise(resolve => { answers.push(resolve) })
      }
      const { url, fastify } = await startServer(t, { ...enabled, verify })
      const manager = oneConnection(t, url, transport)
      const auth = { apikey: 'key' }
      const socket = manager.socket(first, { auth })
      const turnedAway = refused(socket)
      await isAsked
      t.match(await refused(manager.socket(second, { auth })), ALREADY_JOINED, `${what}: being checked`)
      t.equal(answers.length, 1, 'the check is not asked for it')
      answers[0]?.(false)
      t.match(await turnedAway, { code: 'FST_ERR_WS_EVENTS_FORBIDDEN' })
      // Refused, it is not joining any more.
      const again = admitted(manager.socket(second, { auth }).connect())
      while (answers.length < 2) await new Promise(resolve => { setImmediate(resolve) })
      answers[1]?.(true)
      await again
      t.equal(fastify.wsEvents.clients({ instance }).length, 1, what)
    }
  })
}

t.test('names that differ are other instances, and the root is none', async t => {
  const { url, fastify } = await startServer(t, { ...enabled, globalEvents: true })
  const manager = oneConnection(t, url, 'websocket')
  for (const name of ['/', '/acme', '/Acme', '/acme2', '/acm%C3%A9', '/%D0%B0cme']) await admitted(manager.socket(name))
  t.equal(fastify.wsEvents.clients().length, 6)
})
