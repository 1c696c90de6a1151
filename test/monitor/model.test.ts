import { readFileSync } from 'node:fs'
import t from 'tap'
import type { Message } from '../../lib/index.js'
import { clientCodeOf, curlOf } from '../../lib/monitor/page/code.js'
import { compact, Omitted, pictureIn, restore } from '../../lib/monitor/page/model/compact.js'
import { HealthHistory, isSilent, Rate } from '../../lib/monitor/page/model/rates.js'
import { Ring } from '../../lib/monitor/page/model/ring.js'
import { summarize } from '../../lib/monitor/page/model/summary.js'
import { EVERYTHING, fromFragment, Matches, neighbour, toFragment, type View } from '../../lib/monitor/page/model/view.js'

interface Line { readonly instance: string, readonly event: string, readonly sender: string, readonly data: unknown }
const session = readFileSync(new URL('../../example/session.jsonl', import.meta.url), 'utf8').trim().split('\n').map(line => JSON.parse(line) as Line)

let nr = 0
const message = (parts: Partial<Message> = {}): Message => ({
  id: `id-${String(++nr).padStart(8, '0')}`,
  event: 'call',
  instance: 'acme',
  data: null,
  server_url: null,
  date_time: new Date(1_700_000_000_000 + nr).toISOString(),
  sender: null,
  ...parts
})
const jid = '5511900000001@s.whatsapp.net'
const upsert = (content: object, key: object = {}) => ({ key: { remoteJid: jid, fromMe: false, ...key }, pushName: 'Ana', message: content })

t.test('an event is said in one line, in the shapes of WhatsApp', t => {
  const says = (event: string, data: unknown, expected: object) => { t.match(summarize(event, data), expected, `${event} ${JSON.stringify(data)?.slice(0, 60)}`) }
  says('messages.upsert', upsert({ conversation: 'olá' }), { kind: 'text', direction: 'in', who: 'Ana', chat: jid, text: 'olá' })
  says('messages.upsert', upsert({ extendedTextMessage: { text: 'link' } }), { kind: 'text', text: 'link' })
  says('messages.upsert', upsert({ imageMessage: { caption: 'foto' } }), { kind: 'image', text: 'foto' })
  says('messages.upsert', upsert({ audioMessage: { seconds: 81 } }), { kind: 'audio', text: '1:21' })
  says('messages.upsert', upsert({ videoMessage: { seconds: 5, caption: 'v' } }), { kind: 'video', text: '0:05 v' })
  says('messages.upsert', upsert({ documentMessage: { fileName: 'nota.pdf' } }), { kind: 'document', text: 'nota.pdf' })
  says('messages.upsert', upsert({ locationMessage: { degreesLatitude: -23.5, degreesLongitude: -46.6 } }), { kind: 'location', text: '-23.5, -46.6' })
  says('messages.upsert', upsert({ reactionMessage: { text: '👍' } }), { kind: 'reaction', text: '👍' })
  says('messages.upsert', upsert({ unheardOfMessage: {} }), { kind: 'other', text: 'unheardOf' })
  says('send.message', upsert({ conversation: 'x' }, { fromMe: true }), { direction: 'out', who: '+5511900000001' })
  says('messages.upsert', upsert({ conversation: 'x' }, { fromMe: true, remoteJid: '120363092257657@g.us' }), { who: '#257657' })
  says('messages.set', [upsert({ conversation: 'x' }), upsert({})], { kind: 'history', text: '×2' })
  says('messages.update', { remoteJid: jid, fromMe: true, status: 'READ' }, { kind: 'status', word: 'READ', direction: 'out' })
  says('messages.delete', { remoteJid: jid, fromMe: false }, { kind: 'deleted', direction: 'in' })
  says('presence.update', { id: jid, presences: { [jid]: { lastKnownPresence: 'composing' } } }, { kind: 'presence', word: 'composing', who: '+5511900000001' })
  says('chats.upsert', [{ remoteJid: jid, unreadMessages: 7 }], { kind: 'chat', text: '(7)' })
  says('contacts.upsert', [{ remoteJid: jid, pushName: 'Ana' }, { remoteJid: 'b' }], { kind: 'contacts', who: 'Ana', text: '×2' })
  says('groups.upsert', [{ id: '120363092257657@g.us', subject: 'Vendas', participants: [1, 2] }], { kind: 'group', text: 'Vendas ×2' })
  says('group-participants.update', { id: '120363092257657@g.us', participants: [jid], action: 'add' }, { kind: 'participants', word: 'add', text: '+5511900000001' })
  says('connection.update', { state: 'close', statusReason: 428, wuid: jid }, { kind: 'connection', word: 'close', text: '(428)' })
  says('call', { from: jid, isVideo: true, status: 'offer' }, { kind: 'call', word: 'video', text: 'offer', direction: 'in' })
  says('call', [{ from: jid, status: 'offer' }], { kind: 'call', word: 'voice' })
  says('qrcode.updated', { qrcode: { pairingCode: 'ABCD' } }, { kind: 'qr', text: 'ABCD' })
  says('labels.association', { type: 'add', chatId: jid, labelId: '1' }, { kind: 'label', word: 'add', text: '1' })
  says('instance.create', { instanceName: 'x' }, { kind: 'instance', text: 'instanceName: x' })
  says('order.paid', { id: 7, total: 12.5, nested: {} }, { kind: 'other', text: 'id: 7 · total: 12.5' })
  for (const data of [null, undefined, 0, 'text', [], [null], { key: 1, message: 'x', presences: [] }]) {
    for (const event of ['messages.upsert', 'presence.update', 'chats.update', 'group-participants.update', 'call', 'qrcode.updated', 'own.event', 'constructor']) t.doesNotThrow(() => summarize(event, data))
  }
  for (const { event, data } of session) t.ok(summarize(event, data).kind !== 'other', event)
  t.end()
})

t.test('large and binary values are kept by kind and size, and base64 apart', t => {
  const thumbnail = `/9j/${'A'.repeat(600)}`
  const data = { thumbnail, whole: `/9j/${'B'.repeat(20_000)}`, long: 'palavra '.repeat(2000), code: 'x'.repeat(90), buffer: new Uint8Array(5).buffer, odd: '\u0001B0' }
  const { json, blobs, size } = compact(data)
  t.ok(json.length < 400)
  t.ok(size > 36_000)
  t.strictSame(blobs, [thumbnail])
  const back = restore(json, blobs) as Record<string, unknown>
  t.equal(back.thumbnail, thumbnail)
  t.equal(back.code, data.code)
  t.equal(back.odd, data.odd, 'what looks like a placeholder is none')
  t.match(back.whole, new Omitted('image/jpeg', 20_004))
  t.match(back.long, new Omitted('text', 16_000))
  t.match(back.buffer, new Omitted('binary', 5))
  t.match(JSON.stringify(back), /"long":"<text, 16000 B, not kept>"/)
  t.equal(pictureIn({ a: { jpegThumbnail: thumbnail } }), `data:image/jpeg;base64,${thumbnail}`)
  t.equal(pictureIn({ contextInfo: { jpegThumbnail: thumbnail } }), null, 'what is quoted is of another message')
  t.equal(pictureIn({ base64: `iVBORw0KGgo${'A'.repeat(80)}`, message: { thumbnail } })?.slice(0, 30), 'data:image/png;base64,iVBORw0K')
  t.equal(pictureIn({ a: 'text', b: [1, null, new Omitted('image/png', 1)] }), null)
  t.end()
})

t.test('the ring keeps the newest, whole, within its bounds', t => {
  const ring = new Ring(50, 20_000)
  const kept: Message[] = []
  for (let at = 0; at < 500; at++) {
    const { instance, event, sender, data } = session[at % 400] as Line
    const each = message({ instance, event, sender, data })
    if (ring.add(each, { delay: at }) !== null) kept.push(each)
    t.ok(ring.size <= 50)
    for (let seq = ring.first; seq < ring.next; seq++) {
      const { message: found } = ring.read(seq)
      if (JSON.stringify(found) !== JSON.stringify(restore(compact(kept[seq]).json, compact(kept[seq]).blobs))) t.fail(`event ${seq} is another one after ${at}`)
    }
  }
  t.ok(ring.size > 3)
  t.equal(ring.delayOf(ring.next - 1), 499)
  t.equal(ring.add(message({ data: 'words and '.repeat(900).match(/.{100}/gs) }), { delay: null }) !== null, true)
  t.equal(ring.delayOf(ring.next - 1), -1)
  t.equal(new Ring(5, 10).add(message(), { delay: null }), null, 'larger than all there is')
  ring.clear()
  t.equal(ring.size, 0)
  t.equal(ring.add(message(), { delay: 1 }) !== null, true)
  t.equal(ring.size, 1)
  t.end()
})

t.test('100,000 events fit, and their memory is allocated once', t => {
  const ring = new Ring(100_000, 48 * 1024 * 1024)
  for (let at = 0; at < 120_000; at++) {
    const { instance, event, data } = session[at % session.length] as Line
    ring.add(message({ instance, event, data: Array.isArray(data) ? null : data }), { delay: 1 })
  }
  t.ok(ring.size <= 100_000 && ring.size > 40_000, `${ring.size} are kept`)
  t.equal(ring.read(ring.first).seq, ring.first)
  t.end()
})

function filled (): Ring {
  const ring = new Ring(1000, 1_000_000)
  for (let at = 0; at < 100; at++) {
    ring.add(message({
      instance: at % 2 === 0 ? 'acme' : 'globex',
      event: at % 3 === 0 ? 'messages.upsert' : 'call',
      data: at % 3 === 0 ? upsert({ conversation: `Olá número ${at}`, thumb: `/9j/needle${'A'.repeat(200)}` }, { fromMe: at % 6 === 0, remoteJid: `${at % 5}@x` }) : { from: jid }
    }), { delay: 1 })
  }
  return ring
}

function found (ring: Ring, view: Partial<View>): number[] {
  const matches = new Matches(ring, { ...EVERYTHING, ...view })
  while (!matches.isComplete) matches.scan(0, () => 1)
  return Array.from({ length: matches.size }, (_, at) => matches.at(at) ?? -1)
}

t.test('a view finds what it is for, the newest first, bit by bit', t => {
  const ring = filled()
  const all = Array.from({ length: 100 }, (_, at) => 99 - at)
  t.strictSame(found(ring, {}), all)
  t.strictSame(found(ring, { instances: ['acme'] }), all.filter(at => at % 2 === 0))
  t.strictSame(found(ring, { events: ['call'], instances: ['globex'] }), all.filter(at => at % 3 !== 0 && at % 2 === 1))
  t.strictSame(found(ring, { kinds: ['text'] }), all.filter(at => at % 3 === 0))
  t.strictSame(found(ring, { direction: 'out' }), all.filter(at => at % 6 === 0))
  t.strictSame(found(ring, { text: 'OLÁ NÚMERO 9' }), [99, 96, 93, 90, 9])
  t.strictSame(found(ring, { text: 'needle' }), [], 'base64 is not searched')
  t.strictSame(found(ring, { text: 'nobody' }), [])

  const matches = new Matches(ring, { ...EVERYTHING, kinds: ['text'] })
  matches.scan(0, () => 1)
  t.equal(matches.isComplete, false)
  const next = ring.add(message({ event: 'messages.upsert', data: upsert({ conversation: 'new' }) }), { delay: 1 }) ?? -1
  t.equal(matches.added(next), true)
  t.equal(matches.added(ring.add(message(), { delay: 1 }) ?? -1), false)
  while (!matches.isComplete) matches.scan(0, () => 1)
  t.strictSame([matches.at(0), matches.at(1), matches.size], [next, 99, 35])
  t.strictSame([matches.newerThan(99), matches.newerThan(next), matches.newerThan(0)], [1, 0, 34])
  ring.clear()
  matches.trim()
  t.equal(matches.size, 0)
  t.end()
})

t.test('neighbours are of the same chat, or of the same event and instance', t => {
  const ring = filled()
  t.equal(neighbour(ring, 0, 'event', 1), 6)
  t.equal(neighbour(ring, 6, 'event', -1), 0)
  t.equal(neighbour(ring, 0, 'chat', 1), 30)
  t.equal(neighbour(ring, 0, 'chat', -1), null)
  t.equal(neighbour(ring, 99, 'event', 1), null)
  t.end()
})

t.test('a view is kept in the fragment of the URL, and a text only when it is asked for', t => {
  const view: View = { instances: ['loja-ação', 'a&b'], events: ['call'], kinds: ['image', 'text'], direction: 'in', text: '+55 11', range: { from: 1_700_000_000_000, to: 1_700_000_600_000 } }
  const fragment = toFragment('instances', view)
  t.notMatch(fragment, /55/)
  t.match(fromFragment(fragment), { tab: 'instances', view: { ...view, text: '', kinds: ['text', 'image'] } })
  t.equal(fromFragment(toFragment('stream', view, true)).view.text, '+55 11')
  t.equal(toFragment('stream', EVERYTHING), '#stream')
  for (const odd of ['', '#', '#nonsense?kind=nonsense&direction=x&from=2&to=1&from=y', '#stream?instance=%', '#?????']) t.match(fromFragment(odd), { tab: 'stream', view: { kinds: [], direction: '', range: null } })
  t.end()
})

t.test('code for a view: what the server can filter by is asked of it', t => {
  const view: View = { ...EVERYTHING, instances: ['Teste 01'], events: ['call', 'messages.upsert'], kinds: ['image'], text: 'secret' }
  const keyed = { mode: 'traditional', routes: '/api', grant: { key: true, instances: null, allEvents: true } } as const
  t.equal(curlOf(keyed, view, [], 'http://h'), "curl -N -H \"apikey: $WS_APIKEY\" 'http://h/api/instance/Teste%2001/events?events=call%2Cmessages.upsert'")
  const code = clientCodeOf(keyed, view, [], 'http://h')
  t.match(code, "connect('http://h/Teste%2001', { apikey: process.env.WS_APIKEY, events: ['call', 'messages.upsert'] })")
  t.match(code, 'kind: image')
  t.notMatch(code, 'secret')
  const open = { ...keyed, routes: '', mode: 'global', grant: { ...keyed.grant, key: false } } as const
  t.equal(curlOf(open, { ...EVERYTHING, instances: ['a', "b'"] }, [], 'http://h'), "curl -N 'http://h/events?instances=a%2Cb%27'")
  t.equal(curlOf({ ...keyed, routes: '' }, EVERYTHING, ['a', 'b'], 'http://h').split('\n').length, 2)
  t.match(clientCodeOf({ ...keyed, routes: '' }, EVERYTHING, ['a', 'b'], 'http://h'), /client1.*client2/s)
  t.end()
})

t.test('rates and health are those of the last minute and hour', t => {
  const rate = new Rate()
  const start = 1_700_000_000_000
  for (let at = 0; at < 20; at++) rate.add(start + at * 500)
  t.equal(rate.perSecond(start + 10_000), 2)
  t.equal(rate.series(start + 10_000).length, 59)
  t.equal(rate.perSecond(start + 200_000), 0)
  t.equal(rate.total, 20)

  t.equal(isSilent(null, 1000, 100, start), false)
  t.equal(isSilent(start, 1000, 100, start + 59_000), false)
  t.equal(isSilent(start, 1000, 100, start + 61_000), true)
  t.equal(isSilent(start, 60_000, 100, start + 600_000), false, 'a slow one may be silent for longer')
  t.equal(isSilent(start, 1000, 3, start + 600_000), false, 'of a new one nothing is usual')

  const history = new HealthHistory(10_000)
  const add = (time: number, delivered: number, slowConsumers = 0) => { history.add({ time, delivered, slowConsumers, connections: 1, queuedBytes: 5 }) }
  add(0, 100)
  t.strictSame(history.samples, [])
  add(2000, 110, 1)
  t.strictSame(history.samples, [{ time: 2000, connections: 1, delivered: 5, queued: 5, slow: 1 }])
  add(4000, 3)
  t.equal(history.samples.length, 1, 'a server that was started again')
  for (let at = 3; at < 20; at++) add(at * 2000, 3)
  t.ok(history.samples.every(({ time }) => time >= 28_000))
  t.end()
})
