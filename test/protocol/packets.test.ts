import t from 'tap'
import { connectAck, holdAll, type Script } from './helpers/conversation.js'
import { startServers } from './helpers/servers.js'

// What a client may send in a namespace, and what closes its connection. Each conversation is held with a plain
// Socket.IO server, and with ours by both of its ways.

const IN = ['> 40/acme,', connectAck('/acme,')]
const ASKS = ['> 42/acme,12["subscribe",{"events":["call"]}]', '< 43/acme,12[["call"]]']
const PLACE = (num: number): string => `{"_placeholder":true,"num":${num}}`

/** What closes the connection of a client of /acme, by what is wrong with it. */
const broken: Record<string, readonly string[]> = {
  'a type that there is not': ['47/acme,["a"]', '48', '49/acme,', '4a/acme,["a"]', '4abc', '4-1'],
  'a message without a packet': ['4'],
  'an event that is no list': ['42/acme,{}', '42/acme,"a"', '42/acme,null', '42/acme,true', '42/acme,{"0":"a"}'],
  'an event without a name': ['42/acme,[]', '42/acme,[null]', '42/acme,[{}]', '42/acme,[["a"]]', '42/acme,[true]'],
  'a reserved name': ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'].map(name => `42/acme,["${name}"]`),
  'broken JSON': ['42/acme,[', '42/acme,["a"', '42/acme,["a",]', '42/acme,["a"]]', "42/acme,['a']", '42/acme,["a",NaN]', '42/acme,["\\x"]'],
  'an ack id that is no number': ['42/acme,abc["subscribe",{}]', '42/acme,-1["subscribe",{}]', '42/acme,1.5["subscribe",{}]', '42/acme,1e3["subscribe",{}]'],
  'no comma after the namespace': ['42/acme["a"]'],
  'an acknowledgement that is no list': ['43/acme,1{}', '43/acme,1"a"', '43/acme,1null', '43/acme,1x'],
  'a count of attachments that is none': ['45/acme,["a"]', '45-/acme,["a"]', '450-/acme,["a"]', '45-1-/acme,["a"]', '451.5-/acme,["a"]', '45a-/acme,["a"]', '45 -/acme,["a"]', '451', '46/acme,1["a"]', '460-/acme,1["a"]'],
  'more attachments than are taken': [`4511-/acme,["a",${PLACE(0)}]`, '459999999999-/acme,["a"]', '45Infinity-/acme,["a"]'],
  'bytes that no packet announced': ['[01 02 03]', '[]']
}

/** The same of several packets. */
const brokenSeries: Record<string, readonly string[]> = {
  'text in place of an attachment': [`451-/acme,["a",${PLACE(0)}]`, '42/acme,["a"]'],
  'text in place of the second': [`452-/acme,["a",${PLACE(0)},${PLACE(1)}]`, '[01]', '42/acme,["a"]'],
  'more attachments than announced': [`451-/acme,["a",${PLACE(0)}]`, '[01]', '[02]'],
  'a placeholder for an attachment that does not come': [`451-/acme,["a",${PLACE(1)}]`, '[01]'],
  'a placeholder for none': ['451-/acme,["a",{"_placeholder":true,"num":-1}]', '[01]'],
  'a placeholder without a number': ['451-/acme,["a",{"_placeholder":true}]', '[01]'],
  'a placeholder with a word': ['451-/acme,["a",{"_placeholder":true,"num":"length"}]', '[01]'],
  'an attachment for a namespace that was not joined': [`451-/other,["a",${PLACE(0)}]`, '[01]']
}

const conversations: Record<string, Script> = {
  'an event is answered that asks for it': [...IN, ...ASKS, '> 42/acme,0["subscribe",{"events":["chats.set"]}]', '< 43/acme,0[["chats.set"]]'],
  'an id may be as large as a number': [...IN, '> 42/acme,9007199254740991["subscribe",{"events":["call"]}]', '< 43/acme,9007199254740991[["call"]]', '> 42/acme,007["subscribe",{"events":["call"]}]', '< 43/acme,7[["call"]]'],
  'an event that asks for no answer gets none': [...IN, '> 42/acme,["subscribe",{"events":["call"]}]', ...ASKS],
  'an event that nobody knows is let be': [...IN, '> 42/acme,["nobody",1]', '> 42/acme,1["knows",{"a":1}]', '> 42/acme,["constructor"]', '> 42/acme,["__proto__",{"__proto__":{}}]', '> 42/acme,["hasOwnProperty"]', '> 42/acme,["error","no"]', ...ASKS],
  'a number is a name': [...IN, '> 42/acme,[1,2]', ...ASKS],
  'an event without anything is let be': [...IN, '> 42/acme,', '> 42/acme,5', ...ASKS],
  'binary of nobody is let be': [...IN, `> 451-/acme,["nobody",${PLACE(0)}]`, '> [01 02]', `> 452-/acme,3["knows",{"a":${PLACE(0)},"b":[${PLACE(1)}]}]`, '> []', '> [ff]', ...ASKS],
  'an attachment that nothing refers to is let be': [...IN, '> 451-/acme,["nobody"]', '> [01]', ...ASKS],
  'an acknowledgement that nobody waits for is let be': [...IN, '> 43/acme,99["late"]', '> 43/acme,["without an id"]', `> 461-/acme,98[${PLACE(0)}]`, '> [01]', ...ASKS],
  'what has a handler is answered with what that returns': [...IN, '> 42/acme,1["say",{"a":[1,null]}]', '< 43/acme,1[{"a":[1,null]}]', '> 42/acme,["say",2]', '> 42/acme,2["say","é"]', '< 43/acme,2["é"]'],
  'also with bytes': [...IN, `> 451-/acme,3["say",{"a":${PLACE(0)}}]`, '> [01 02]', `< 461-/acme,3[{"a":${PLACE(0)}}]`, '< [01 02]', ...ASKS],
  'the host takes what is sent at the root': ['> 40', connectAck(), '> 42["echo",1,"2",{"3":[true]}]', '< 42["echo",1,"2",{"3":[true]}]', '> 42456["echo",1,"2",{"3":[false]}]', '< 43456[1,"2",{"3":[false]}]', '> 421["echo"]', '< 431[]'],
  'and in its own namespace': ['> 40/host,', connectAck('/host,'), '> 42/host,["echo","ação \\ud83d\\ude00\\u0000"]', '< 42/host,["echo","ação 😀\\u0000"]', '> 42/host,5["echo","a"]', '< 43/host,5["a"]'],
  'with bytes': ['> 40', connectAck(),
    `> 452-["echo",${PLACE(0)},{"a":${PLACE(1)}}]`, '> [01 02 03]', '> [04 05 06]',
    `< 452-["echo",${PLACE(0)},{"a":${PLACE(1)}}]`, '< [01 02 03]', '< [04 05 06]'],
  'and an acknowledgement of bytes': ['> 40', connectAck(),
    `> 452-789["echo",${PLACE(0)},${PLACE(1)}]`, '> [01 02 03]', '> []',
    `< 462-789[${PLACE(0)},${PLACE(1)}]`, '< [01 02 03]', '< []'],
  'ten attachments are taken': ['> 40', connectAck(),
    `> 4510-1["echo",${Array.from({ length: 10 }, (empty, num) => PLACE(num)).join()}]`, ...Array.from({ length: 10 }, (empty, num) => `> [0${num}]`),
    `< 4610-1[${Array.from({ length: 10 }, (empty, num) => PLACE(num)).join()}]`, ...Array.from({ length: 10 }, (empty, num) => `< [0${num}]`)],
  'packets of Engine.IO that say nothing are let be': [...IN, '> 6', '> 3', '> 3probe', '> 0', ...ASKS],
  'a client does not ping': [...IN, '> 2', '< closed'],
  'nor by way of a probe': [...IN, '> 2probe', '< closed']
}

t.test('what clients send', async t => {
  const servers = await startServers(t)
  for (const [name, script] of Object.entries(conversations)) await t.test(name, async t => { await holdAll(t, servers, script) })
  for (const [name, packets] of Object.entries(broken)) {
    await t.test(`closes the connection: ${name}`, async t => {
      for (const packet of packets) await holdAll(t, servers, [...IN, `> ${packet}`, '< closed'])
    })
  }
  for (const [name, packets] of Object.entries(brokenSeries)) {
    await t.test(`closes the connection: ${name}`, async t => { await holdAll(t, servers, [...IN, ...packets.map(packet => `> ${packet}`), '< closed']) })
  }
  for (const packet of ['abc', '7', '9hello', ' ', 'x'.repeat(1000)]) {
    await t.test(`closes the connection, being no packet of Engine.IO: ${packet.slice(0, 10)}`, async t => { await holdAll(t, servers, [...IN, `> ${packet}`, '< closed']) })
  }
})
