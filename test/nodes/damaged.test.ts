import t from 'tap'
import { connect, Inbox, listen } from '../helpers/client.js'
import { recordLog } from '../helpers/log.js'
import { outcomeOf } from '../helpers/outcome.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { datas } from '../helpers/resume.js'
import { startServer } from '../helpers/server.js'
import { newPrefix, storeAt } from './helpers/nodes.js'

const UNAVAILABLE = 'FST_ERR_WS_EVENTS_STORE_UNAVAILABLE'

t.test('a node that finds a damaged config serves all other instances, and that one when it is set again', { skip: withoutRedis }, async t => {
  const redis = await startRedis(t)
  const commands = redis.connect()
  const prefix = newPrefix()
  const store = storeAt(redis.url, prefix)
  const before = await startServer(t, { store })
  for (const name of ['acme', 'globex']) await before.fastify.wsEvents.set(name, { enabled: true })
  await commands.hset(`{${prefix}}:configs`, 'acme', 'x {"enabled":')

  const { lines, fastify: log } = recordLog()
  const { fastify, url } = await startServer(t, { store }, { fastify: log })
  const { wsEvents } = fastify
  t.match(lines.filter(({ level, instance }) => level >= 40 && instance === 'acme'), [{ level: 50, msg: /set it again, or remove it/ }])
  const { inbox: globex } = await listen(t, `${url}/globex`)
  await wsEvents.emit('globex', 'call', 1)
  t.strictSame(datas(await globex.got(1)), [1])

  const unavailable = { code: UNAVAILABLE, message: /acme.*set it again, or remove it/ }
  await t.rejects(wsEvents.emit('acme', 'call', 1), unavailable)
  await t.rejects(wsEvents.find('acme'), unavailable)
  const response = await fetch(`${url}/instance/acme/websocket`)
  t.equal(response.status, 503)
  const socket = connect(t, `${url}/acme`)
  const inbox = new Inbox(socket)
  t.match(await outcomeOf(socket), { comesBack: true })

  const isIn = new Promise<void>(resolve => { socket.once('connect', resolve) })
  t.match(await wsEvents.set('acme', { enabled: true }), { enabled: true })
  await isIn
  await wsEvents.emit('acme', 'call', 2)
  t.strictSame(datas(await inbox.got(1)), [2])
})

t.test('a config that is damaged while its instance is served changes nothing for its clients', { skip: withoutRedis }, async t => {
  const redis = await startRedis(t)
  const commands = redis.connect()
  const prefix = newPrefix()
  const { fastify: { wsEvents }, url } = await startServer(t, { store: storeAt(redis.url, prefix) })
  for (const name of ['acme', 'globex']) await wsEvents.set(name, { enabled: true })
  const { inbox } = await listen(t, `${url}/acme`)
  await commands.hset(`{${prefix}}:configs`, 'acme', 'damaged')
  await commands.publish(`{${prefix}}:configs`, 'elsewhere s acme')
  await commands.hset(`{${prefix}}:configs`, 'globex', 'x {"enabled":false,"events":null}')
  await commands.publish(`{${prefix}}:configs`, 'elsewhere s globex')
  const isFollowed = async (): Promise<boolean> => (await wsEvents.emit('globex', 'call', 1)).skipped === 'instance-disabled'
  while (!await isFollowed());
  await wsEvents.emit('acme', 'call', 1)
  t.strictSame(datas(await inbox.got(1)), [1])
})
