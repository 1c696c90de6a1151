import type { IncomingMessage, ServerResponse } from 'node:http'
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { encodeEvent, encodeMessage } from '../../lib/gateway/sse.js'
import { Sweep } from '../../lib/gateway/http/sweep.js'
import { ResponseConnection } from '../../lib/gateway/http/connection.js'
import { preferred } from '../../lib/routes/accept.js'
import { telemetry } from '../helpers/gateway.js'
import { eventually } from '../helpers/latch.js'

const entry = { id: '1', event: 'call', instance: 'acme', rest: Buffer.from(',"data":1}'), attachments: [] }

t.test('neither a name nor an id begins another field, whatever wrote the log', async t => {
  t.equal(encodeEvent(entry).toString(), 'id: 1\nevent: call\ndata: {"id":"1","data":1}\n\n')
  for (const text of ['a\nid: 2', 'a\r\n\r\ndata: x', 'a\rretry: 1', 'a\0b']) {
    for (const changed of [{ event: text }, { id: text }]) {
      const [head = ''] = encodeEvent({ ...entry, ...changed }).toString().split('data: {"id"')
      t.match(head, /^id: [^\r\n\0]*\nevent: [^\r\n\0]*\n$/, JSON.stringify(changed))
    }
  }
})

t.test('a placeholder without its part is no part of another', async t => {
  const placeholder = (number: number) => `{"_placeholder":true,"num":${number}}`
  const rest = Buffer.from(`,"data":[${placeholder(1)},${placeholder(0)},${placeholder(7)}]}`)
  const message = JSON.parse(encodeMessage({ ...entry, rest, attachments: [Buffer.from('a'), Buffer.from('b')] }).toString()) as { data: unknown }
  t.strictSame(message.data, [{ type: 'Buffer', data: 'Yg==' }, { type: 'Buffer', data: 'YQ==' }, { type: 'Buffer', data: '' }])
})

function linkTo (t: Test): { link: ResponseConnection, response: PassThrough, text: () => string } {
  const response = new PassThrough()
  t.teardown(() => { response.destroy() })
  let text = ''
  response.on('data', (chunk: Buffer) => { text += chunk.toString() })
  return { link: new ResponseConnection({ socket: new PassThrough() } as unknown as IncomingMessage, response as unknown as ServerResponse, null, telemetry), response, text: () => text }
}

t.test('a heartbeat comes where nothing else did, and nothing is left when the last stream has gone', async t => {
  const { link, response, text } = linkTo(t)
  link.write('event\n')
  link.sendHeartbeat()
  t.equal(response.read(), null)
  await eventually(() => text() !== '')
  t.equal(text(), 'event\n', 'it was not quiet')
  link.sendHeartbeat()
  await eventually(() => text() === 'event\n:\n\n')
  const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const before = timers()
  const heartbeats = new Sweep(1, connection => { connection.sendHeartbeat() })
  const others = [linkTo(t), linkTo(t)]
  for (const other of others) heartbeats.add(other.link)
  await eventually(() => others.every(other => other.text().includes(':\n\n:\n\n')))
  t.equal(timers(), before + 1, 'one timer for all')
  for (const other of others) other.link.closed()
  t.equal(timers(), before)
})

t.test('what somebody would rather have', async t => {
  const types = ['a/x', 'b/y'] as const
  const cases: ReadonlyArray<readonly [header: string | undefined, type: string | undefined]> = [
    [undefined, 'a/x'], [' ', 'a/x'], ['*/*', 'a/x'], ['b/*', 'b/y'], ['b/y', 'b/y'], ['*/*, b/y', 'b/y'], ['b/y;q=0.1, */*', 'a/x'],
    ['a/x;q=0, */*', 'b/y'], ['A/X', 'a/x'], ['b/y; q=0.9, a/x;q=0.8', 'b/y'], ['a/x;q=2', undefined], ['a/x;q=rubbish', undefined], [';;,,', undefined], ['c/z', undefined]
  ]
  for (const [header, type] of cases) t.equal(preferred(header, types), type, String(header))
})
