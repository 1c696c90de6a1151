import t from 'tap'
import type { Refusal } from '../../lib/index.js'
import { connect, type ClientOptions, listen, refused, transports } from '../helpers/client.js'
import { resume } from '../helpers/resume.js'
import { outcomeOf } from '../helpers/outcome.js'
import { startServer } from '../helpers/server.js'
import { enabled, hear, reached } from './setup.js'

// How long what a client sends may be, and what a stock client sees of one that is longer.

/** The longest text of an error that a client is told: it repeats only the beginning of what came. */
const LONGEST = 500
const KEY = 8192
const NAME = 200
const ID = 200
const PREFIX = 'FST_ERR_WS_EVENTS_'

for (const transport of transports) {
  t.test(`a key of ${KEY} characters opens what it should over ${transport}; one character more is refused, and verify is never asked`, async t => {
    const asked: number[] = []
    const server = await startServer(t, {
      ...enabled,
      verify: ({ apikey }) => {
        asked.push(apikey?.length ?? 0)
        return true
      }
    })
    await listen(t, `${server.url}/acme`, { transports: [transport], auth: { apikey: 'k'.repeat(KEY) } })
    const refusal = await refused(connect(t, `${server.url}/acme`, { transports: [transport], auth: { apikey: 'k'.repeat(KEY + 1) } }))
    t.match(refusal, { code: `${PREFIX}FORBIDDEN`, retry: false })
    t.notMatch(refusal.message, /kk/)
    t.strictSame(asked, [KEY])
  })

  t.test(`what is too long in a filter, and in a name, is refused over ${transport} by a message that is short`, async t => {
    const server = await startServer(t, { ...enabled, globalEvents: true })
    const long = 'x'.repeat(50_000)
    const cases: ReadonlyArray<readonly [what: string, path: string, auth: object, code: string, message?: RegExp]> = [
      ['an event', '/acme', { events: ['e'.repeat(NAME + 1)] }, 'INVALID_FILTER', /a name of 201 characters/],
      ['an unknown event of the longest length', '/acme', { events: ['e'.repeat(NAME)] }, 'INVALID_FILTER', /unknown event/],
      ['an event of 50 kB', '/acme', { events: [long] }, 'INVALID_FILTER', /a name of 50000 characters/],
      ['events with commas', '/acme', { events: 'call,'.repeat(10_000) }, 'INVALID_FILTER'],
      ['too many events', '/acme', { events: Array(5000).fill('call') }, 'INVALID_FILTER'],
      ['an instance', '/', { instances: ['i'.repeat(101)] }, 'INVALID_FILTER'],
      ['an instance of 50 kB', '/', { instances: [long] }, 'INVALID_FILTER'],
      ['too many instances', '/', { instances: Array(10_001).fill('a') }, 'INVALID_FILTER'],
      ['a name', `/${'n'.repeat(101)}`, {}, 'INVALID_NAME'],
      ['a name of 50 kB', `/${long}`, {}, 'INVALID_NAME'],
      ['a name that is longer percent-encoded', `/${'%C3%A9'.repeat(101)}`, {}, 'INVALID_NAME']
    ]
    for (const [what, path, auth, code, message = /./] of cases) {
      // Joined by hand: a URL of 50 kB is no HTTP request, and a namespace goes by a packet.
      const refusal = await refused(connect(t, server.url, { transports: [transport], auth }).io.socket(path, { auth: auth as ClientOptions['auth'] & object }))
      t.match(refusal, { code: `${PREFIX}${code}`, statusCode: 400, retry: false, message }, what)
      t.ok(refusal.message.length <= LONGEST, `${what}: ${refusal.message.length} characters`)
    }
    const { inbox } = await listen(t, `${server.url}/${'n'.repeat(100)}`, { transports: [transport] })
    await hear(t, server, 'n'.repeat(100), [inbox])
    t.strictSame(reached(server), {})
  })

  t.test(`an event's name of ${NAME} characters in subscribe is unknown over ${transport}, a longer one is refused, and the filter in force stays`, async t => {
    const server = await startServer(t, enabled)
    const { socket, inbox } = await listen(t, `${server.url}/acme`, { transports: [transport] })
    for (const length of [NAME, NAME + 1, 60_000]) {
      const refusal = await socket.timeout(60_000).emitWithAck('subscribe', { events: ['e'.repeat(length)] }) as Refusal
      t.match(refusal, { code: `${PREFIX}INVALID_FILTER`, statusCode: 400, retry: false })
      t.ok(refusal.message.length <= LONGEST)
    }
    await hear(t, server, 'acme', [inbox])
  })

  t.test(`an id of more than ${ID} characters is unknown, which is a gap, over ${transport}`, async t => {
    const server = await startServer(t, enabled)
    await hear(t, server, 'acme', [(await listen(t, `${server.url}/acme`, { transports: [transport] })).inbox])
    for (const length of [ID, ID + 1, 50_000]) {
      const { inbox, ready } = await resume(t, `${server.url}/acme`, '0'.repeat(length), { transports: [transport] })
      t.equal(ready.recovered, false, `${length} characters`)
      t.ok(ready.lastEventId.length <= ID)
      await hear(t, server, 'acme', [inbox])
    }
  })

  t.test(`an auth of 60 kB is let in over ${transport}; one over inboundBytes ends the connection, and the client comes back`, async t => {
    const server = await startServer(t, enabled)
    const { inbox } = await listen(t, `${server.url}/acme`, { transports: [transport], auth: { unused: 'x'.repeat(60_000) } })
    await hear(t, server, 'acme', [inbox])
    t.match(await outcomeOf(connect(t, `${server.url}/acme`, { transports: [transport], auth: { unused: 'x'.repeat(70_000) } })), { word: 'comes back', comesBack: true })
    t.strictSame(Object.keys(reached(server)), ['inboundBytes'])
    await hear(t, server, 'acme', [inbox])
  })
}
