import t from 'tap'
import { connectAck, holdAll, type Script } from './helpers/conversation.js'
import { REFUSALS, type Spoken, startServers } from './helpers/servers.js'
import { eventually } from '../helpers/latch.js'

// How a client of Socket.IO v5 joins namespaces and leaves them. Each conversation is held with a plain Socket.IO
// server, and with ours by both of its ways.

/** What a refused client is told: `data` is the contract's, to the letter. */
function refusal (namespace: string): string {
  const data = REFUSALS[namespace]
  return `< 44${namespace === '/' ? '' : `${namespace},`}${JSON.stringify({ message: data?.message, data })}`
}

/** Asks an instance, or the root, for what it always answers. */
const asks = (namespace = ''): string[] => [`> 42${namespace}7["subscribe",{"events":["call"]}]`, `< 43${namespace}7[["call"]]`]

interface Inside { readonly _nsps: ReadonlyMap<string, { readonly sockets: ReadonlyMap<string, unknown> }> }

/**
 * Waits until the server has let a client go. Socket.IO reads a packet for a namespace a tick later, and one of CONNECT
 * at once: where both come in one read, it takes the second for a second one of a client that is in.
 */
const left = (namespace: string) => async ({ io }: Spoken): Promise<void> => {
  const { _nsps: namespaces } = io as unknown as Inside
  await eventually(() => (namespaces.get(namespace)?.sockets.size ?? 0) === 0)
}

const conversations: Record<string, Script> = {
  'a client of the root is in': ['> 40', connectAck(), ...asks()],
  'with an auth payload too': ['> 40{"token":"abc"}', connectAck(), ...asks()],
  'a client of an instance is in': ['> 40/acme,', connectAck('/acme,'), ...asks('/acme,')],
  'with an auth payload too, that has more than we know': ['> 40/acme,{"events":["call"],"more":{"a":[1,null]}}', connectAck('/acme,'), ...asks('/acme,')],
  'an empty auth payload is none': ['> 40/acme,{}', connectAck('/acme,'), ...asks('/acme,')],
  'an ack id is no payload': ['> 40/acme,1', connectAck('/acme,')],
  'the comma may be left out': ['> 40/acme', connectAck('/acme,')],
  // A connection is in an instance by one of its spellings.
  'a name is answered as it was spelled': ['> 40/ação 01,', connectAck('/ação 01,'), ...asks('/ação 01,')],
  'also where it was spelled otherwise': ['> 40/a%C3%A7%C3%A3o%2001,', connectAck('/a%C3%A7%C3%A3o%2001,'), ...asks('/a%C3%A7%C3%A3o%2001,')],
  "the host's own namespace is its own": ['> 40/host,', connectAck('/host,'), '> 42/host,1["echo","here"]', '< 43/host,1["here"]'],
  'who is refused is told why': ['> 40/nobody,', refusal('/nobody')],
  'and may go elsewhere': ['> 40/off,', refusal('/off'), '> 40/acme,', connectAck('/acme,'), '> 40/nobody,', refusal('/nobody'), ...asks('/acme,')],
  'who is refused may try again': ['> 40/nobody,', refusal('/nobody'), '> 40/nobody,', refusal('/nobody')],
  'several namespaces share a connection': ['> 40/acme,', connectAck('/acme,'), '> 40', connectAck(), '> 40/other,', connectAck('/other,'), '> 40/host,', connectAck('/host,'), ...asks('/other,'), ...asks(), ...asks('/acme,')],
  'one that is left does not take the others along': ['> 40/acme,', connectAck('/acme,'), '> 40/other,', connectAck('/other,'), '> 41/acme,', ...asks('/other,')],
  'the comma may be left out there too': ['> 40/acme', connectAck('/acme,'), '> 40/other', connectAck('/other,'), '> 41/acme', ...asks('/other,')],
  'the root is left like any other': ['> 40', connectAck(), '> 40/acme,', connectAck('/acme,'), '> 41', ...asks('/acme,')],
  'who has left may come again': ['> 40/acme,', connectAck('/acme,'), '> 41/acme,', left('/acme'), '> 40/acme,', connectAck('/acme,'), ...asks('/acme,')],
  'also after the last namespace': ['> 40', connectAck(), '> 41', left('/'), '> 40/acme,', connectAck('/acme,'), ...asks('/acme,')],
  'who is in may not connect again': ['> 40/acme,', connectAck('/acme,'), '> 40/acme,', '< closed'],
  'nor at the root': ['> 40', connectAck(), '> 40', '< closed'],
  'the connection closes for all of its namespaces': ['> 40', connectAck(), '> 40/acme,', connectAck('/acme,'), '> 40', '< closed'],
  'an event before anything else closes the connection': ['> 42["echo"]', '< closed'],
  'also one for an instance': ['> 42/acme,["subscribe",{"events":["call"]}]', '< closed'],
  'an event for a namespace that was not joined does': ['> 40/acme,', connectAck('/acme,'), '> 42/other,["subscribe",{"events":["call"]}]', '< closed'],
  'and one for a namespace that refused': ['> 40/off,', refusal('/off'), '> 42/off,["subscribe",{"events":["call"]}]', '< closed'],
  'and one for a namespace that was left': ['> 40/acme,', connectAck('/acme,'), '> 41/acme,', left('/acme'), '> 42/acme,["subscribe",{"events":["call"]}]', '< closed'],
  'and an acknowledgement before anything else': ['> 43/acme,0[]', '< closed'],
  'and a disconnect': ['> 41/acme,', '< closed'],
  'and one from a namespace that was left': ['> 40/acme,', connectAck('/acme,'), '> 41/acme,', left('/acme'), '> 41/acme,', '< closed'],
  'a client cannot refuse': ['> 40/acme,', connectAck('/acme,'), '> 44/acme,{"message":"no"}', '< closed'],
  'a server that lets a client go says so': [
    '> 40/acme,', connectAck('/acme,'), '> 40/other,', connectAck('/other,'),
    ({ io }) => { io.of('/acme').disconnectSockets() }, '< 41/acme,', ...asks('/other,')
  ],
  'and when it closes all': ['> 40/acme,', connectAck('/acme,'), '> 40/other,', connectAck('/other,'), ({ io }) => { io.of('/acme').disconnectSockets(true) }, '< 41/acme,', '< 41/other,', '< closed'],
  ...Object.fromEntries(['"text"', '1.5', 'true', 'null', '[]', '[{}]', '{', '{"a":}', 'x', '{}{}', ','].map(payload =>
    [`the auth payload ${payload} closes the connection`, [`> 40/acme,${payload}`, '< closed']])),
  ...Object.fromEntries(['{}', '[]', '"x"', 'x', '{', '0'].map(payload =>
    [`a disconnect with ${payload} is as the reference takes it`, ['> 40/acme,', connectAck('/acme,'), `> 41/acme,${payload}`, ...payload === '0' ? [left('/acme'), '> 40/acme,', connectAck('/acme,')] : ['< closed']]]))
}

t.test('connecting', async t => {
  const servers = await startServers(t)
  for (const [name, script] of Object.entries(conversations)) await t.test(name, async t => { await holdAll(t, servers, script) })
})

t.test('a root that refuses', async t => {
  const servers = await startServers(t, { root: false })
  await holdAll(t, servers, ['> 40', refusal('/'), '> 40/acme,', connectAck('/acme,'), '> 40', refusal('/'), ...asks('/acme,')])
})

t.test('a connection that joins no namespace is closed', async t => {
  const servers = await startServers(t, { connectTimeout: 2000 })
  await t.test('when it says nothing', async t => { await holdAll(t, servers, ['< closed']) })
  await t.test('when it was refused', async t => { await holdAll(t, servers, ['> 40/nobody,', refusal('/nobody'), '< closed']) })
})
