import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { io } from 'socket.io-client'
import { buildApp } from './app.ts'

const adminKey = 'the-key-of-the-admin'

test('a tenant gets its own events, and none of another', async t => {
  const app = await buildApp({ adminKey, wsEvents: { env: false } })
  t.after(async () => { await app.close() })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`

  const add = async (name: string): Promise<string> => {
    const response = await app.inject({ method: 'POST', url: `/tenants/${name}`, headers: { apikey: adminKey } })
    return response.json<{ key: string }>().key
  }
  const pay = async (apikey: string, id: string): Promise<number> => {
    const payload = { id, cents: 990 }
    return (await app.inject({ method: 'POST', url: '/orders/paid', headers: { apikey }, payload })).statusCode
  }
  const acme = await add('acme')
  const globex = await add('globex')

  // Another tenant's key opens nothing here.
  const refused = io(`${url}/acme`, { auth: { apikey: globex }, forceNew: true })
  const [error] = await once(refused as never, 'connect_error') as [Error & { data: { code: string } }]
  assert.equal(error.data.code, 'FST_ERR_WS_EVENTS_FORBIDDEN')
  refused.disconnect()

  const socket = io(`${url}/acme`, { auth: { apikey: acme }, forceNew: true })
  await once(socket as never, 'connect')
  const ids: string[] = []
  const second = new Promise<void>(resolve => {
    socket.on('order.paid', ({ data }: { data: { id: string } }) => { if (ids.push(data.id) === 2) resolve() })
  })
  assert.equal(await pay(acme, 'a1'), 200)
  assert.equal(await pay(globex, 'g1'), 200)
  assert.equal(await pay(acme, 'a2'), 200)
  assert.equal(await pay('nobody', 'n1'), 403)
  await second
  assert.deepEqual(ids, ['a1', 'a2'])

  // A key that is taken back ends its clients, and lets nobody in.
  const gone = once(socket as never, 'disconnect')
  await app.inject({ method: 'DELETE', url: '/key', headers: { apikey: acme } })
  const [reason] = await gone
  assert.equal(reason, 'io server disconnect')
  assert.equal(await pay(acme, 'a3'), 403)
})
