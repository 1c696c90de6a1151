import Fastify, { type FastifyInstance } from 'fastify'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import wsEvents, { type WsEventsOptions } from '../../lib/index.js'
import monitor, { type MonitorState } from '../../lib/monitor/index.js'
import { listen } from '../helpers/client.js'

const PREFIX = 'FST_ERR_WS_EVENTS_'

async function start (t: Test, options: WsEventsOptions = {}): Promise<FastifyInstance> {
  const fastify = Fastify()
  t.teardown(async () => { await fastify.close() })
  await fastify.register(wsEvents, { env: false, ...options })
  await fastify.register(monitor, { prefix: '/monitor' })
  return fastify
}

async function stateOf (fastify: FastifyInstance, query = '', headers = {}): Promise<MonitorState> {
  const response = await fastify.inject({ url: `/monitor/state${query}`, headers })
  if (response.statusCode !== 200) throw new Error(`${response.statusCode}: ${response.body}`)
  return response.json()
}

const names = ({ instances }: MonitorState) => instances.map(({ instance }) => instance)

t.test('the page is served with a policy that lets nothing in from elsewhere, and says nothing of the application', async t => {
  const fastify = await start(t, { apikey: 'the-global-key' })
  await fastify.wsEvents.set('acme', { enabled: true })
  for (const [url, type] of [['/monitor/', 'text/html'], ['/monitor/page.js', 'text/javascript'], ['/monitor/page.css', 'text/css']] as const) {
    const { statusCode, headers, body } = await fastify.inject(url)
    t.equal(statusCode, 200, url)
    t.match(headers['content-type'], type)
    const policy = String(headers['content-security-policy'])
    t.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'/)
    t.notMatch(policy, /unsafe|\*|https?:/)
    t.notMatch(body, /acme|the-global-key/)
  }
  const { body } = await fastify.inject('/monitor/')
  t.notMatch(body, /<script>|<style|style=|onclick|https?:\/\/(?!www\.w3\.org)/, 'nothing inline, nothing from elsewhere')
})

t.test('what the page asks for stands beside it', async t => {
  const fastify = await start(t)
  const { statusCode, headers } = await fastify.inject('/monitor')
  t.equal(statusCode, 302)
  t.equal(headers.location, 'monitor/')
})

t.test('the state is told to who has a key, as far as it opens', async t => {
  const fastify = await start(t, {
    apikey: 'the-global-key',
    verify: ({ apikey, instance }) => {
      if (apikey === 'key-of-two') return { instances: ['acme', 'globex'], events: ['messages.*'] }
      return apikey === 'key-of-acme' && instance === 'acme'
    }
  })
  for (const name of ['acme', 'globex', 'initech']) await fastify.wsEvents.set(name, { enabled: name !== 'globex', events: ['call'] })
  const status = async (query: string, headers = {}) => {
    const response = await fastify.inject({ url: `/monitor/state${query}`, headers })
    const { code } = response.json<{ code?: string }>()
    return [response.statusCode, code]
  }
  t.strictSame(await status(''), [401, `${PREFIX}UNAUTHORIZED`])
  t.strictSame(await status('', { apikey: 'nonsense-key' }), [403, `${PREFIX}FORBIDDEN`])
  t.strictSame(await status('', { apikey: 'key-of-acme' }), [403, `${PREFIX}FORBIDDEN`])
  t.strictSame(await status('?instance=globex', { apikey: 'key-of-acme' }), [403, `${PREFIX}FORBIDDEN`])
  t.strictSame(await status('?instance=initech', { apikey: 'key-of-two' }), [403, `${PREFIX}FORBIDDEN`])
  t.strictSame(await status('?instance=a/b', { apikey: 'the-global-key' }), [400, `${PREFIX}INVALID_NAME`])
  t.strictSame((await status('?page=1', { apikey: 'the-global-key' }))[0], 400)

  const all = await stateOf(fastify, '', { authorization: 'Bearer the-global-key' })
  t.strictSame(names(all), ['acme', 'globex', 'initech'])
  t.match(all, { mode: 'traditional', path: '/socket.io', routes: '', more: false })
  t.match(all.instances[1], { instance: 'globex', set: true, enabled: false, events: ['CALL'], clients: 0, head: '' })
  t.strictSame(names(await stateOf(fastify, '?instance=acme', { apikey: 'key-of-acme' })), ['acme'])
  const two = await stateOf(fastify, '', { apikey: 'key-of-two' })
  t.strictSame(names(two), ['acme', 'globex'])
  t.ok(two.events.length > 1 && two.events.every(name => name.startsWith('messages.')), 'events that the key does not open are not named')
})

t.test('the state counts clients and tells the newest id of what is watched', async t => {
  const fastify = await start(t, { globalEvents: true, defaultConfig: { enabled: true } })
  await fastify.listen({ port: 0, host: '127.0.0.1' })
  const url = `http://127.0.0.1:${(fastify.server.address() as AddressInfo).port}`
  await listen(t, url)
  await listen(t, `${url}/acme`)
  const { id } = await fastify.wsEvents.emit('acme', 'call', null)
  const state = await stateOf(fastify)
  t.strictSame(state.root, { clients: 1, head: id })
  t.equal(state.instances.length, 1)
  t.match(state.instances[0], { instance: 'acme', set: false, enabled: true, events: [], clients: 1, head: id, emitted: 1, skipped: 0, skipReason: null })
})

t.test('a key that is limited to some instances is shown nothing of others, and no list of all is made for it', async t => {
  const fastify = await start(t, {
    globalEvents: true,
    apikey: 'the-global-key',
    verify: ({ apikey }) => apikey === 'key-of-acme' && { instances: ['acme'] }
  })
  for (const name of ['acme', 'globex']) await fastify.wsEvents.set(name, { enabled: true })
  await fastify.listen({ port: 0, host: '127.0.0.1' })
  const url = `http://127.0.0.1:${(fastify.server.address() as AddressInfo).port}`
  for (const path of ['/', '/globex', '/acme']) await listen(t, url + path, { auth: { apikey: 'the-global-key' } })
  let listed = 0
  const { list } = fastify.wsEvents
  fastify.wsEvents.list = () => {
    listed++
    return list.call(fastify.wsEvents)
  }
  const before = await stateOf(fastify, '', { apikey: 'key-of-acme' })
  t.strictSame(before.root, { clients: 0, head: '' })
  t.strictSame(before.instances.map(({ instance, clients }) => [instance, clients]), [['acme', 1]])
  await fastify.wsEvents.emit('globex', 'call', 1)
  const after = await stateOf(fastify, '', { apikey: 'key-of-acme' })
  t.strictSame(after.root, before.root)
  t.strictSame(names(after), ['acme'])
  t.equal(listed, 0)
  t.equal((await stateOf(fastify, '', { apikey: 'the-global-key' })).root.clients, 1)
  t.equal(listed, 1)
})

t.test('it says what there is not', async t => {
  t.match(await stateOf(await start(t, { enabled: false })), { mode: 'disabled', path: null })
  t.match(await stateOf(await start(t, { routes: false })), { routes: null })
  t.match(await stateOf(await start(t, { routes: { prefix: '/api' } })), { routes: '/api' })
})

t.test('many instances are listed as far as a page can show them', async t => {
  const fastify = await start(t)
  for (let at = 0; at < 1001; at++) await fastify.wsEvents.set(`instance-${at}`, { enabled: true })
  const { instances, more } = await stateOf(fastify)
  t.equal(instances.length, 1000)
  t.equal(more, true)
})

t.test('without the plugin there is nothing to show', async t => {
  const fastify = Fastify()
  await t.rejects(async () => { await fastify.register(monitor, { prefix: '/monitor' }) }, { code: `${PREFIX}INVALID_OPTION`, message: /register that first/ })
})

t.test('webhooks that were skipped are listed by name and reason, for a key that opens all', async t => {
  const fastify = await start(t, { apikey: 'the-global-key', evolution: true, verify: ({ apikey }) => apikey === 'key-of-acme' ? { instances: ['acme'] } : false })
  const post = async (event: string, instance: string, nr: number) => {
    const payload = { event, instance, data: { nr }, date_time: new Date().toISOString() }
    return (await fastify.inject({ method: 'POST', url: '/webhook/evolution', headers: { apikey: 'the-global-key' }, payload })).statusCode
  }
  const key = { apikey: 'the-global-key' }
  t.strictSame((await stateOf(fastify, '', key)).skipped, [])
  for (let nr = 0; nr < 3; nr++) t.equal(await post('no.such.event', 'acme', nr), 202)
  t.equal(await post('call', 'a/b', 0), 202)
  t.equal(await post('call', 'acme', 0), 200)
  const { skipped } = await stateOf(fastify, '', key)
  t.match(skipped, [{ reason: 'invalid-name', name: 'a/b', count: 1 }, { reason: 'unknown-event', name: 'no.such.event', count: 3 }])
  t.equal(skipped.length, 2)
  for (const { last } of skipped) t.ok(Date.now() - Date.parse(last) < 60_000)
  t.strictSame((await stateOf(fastify, '', { apikey: 'key-of-acme' })).skipped, [], 'not for a key of one instance')
  t.strictSame((await stateOf(fastify, '?instance=acme', key)).skipped, [], 'nor for one instance')

  for (let nr = 0; nr < 1100; nr++) t.equal(await post(`made.up.${nr}`, 'acme', nr), 202)
  const { skipped: newest } = await stateOf(fastify, '', key)
  t.equal(newest.length, 100)
  t.equal(newest[0]?.name, 'made.up.997', 'at most 1,000 names are kept')
  t.equal(fastify.wsEvents.stats().publish.skipped['unknown-event'], 1103)
})
