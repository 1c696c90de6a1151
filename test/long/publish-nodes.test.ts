import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { WsEventsOptions } from '../../lib/index.js'
import { listen } from '../helpers/client.js'
import { type Answer, post } from '../helpers/publishing.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { bundleNode, NodeProcess } from '../nodes/helpers/node-process.js'
import { newPrefix, storeAt } from '../nodes/helpers/nodes.js'

// A key, on nodes that are killed.

const EVENTS = '/instance/acme/events'
const LIST = [{ event: 'call', data: 1 }, { event: 'call', data: 2 }, { event: 'call', data: 3 }]
const key = (text: string): Record<string, string> => ({ 'idempotency-key': text })

interface Setting {
  readonly store: string
  readonly diesAnswering?: boolean
}

interface Node {
  readonly url: string
  kill (): Promise<void>
}

async function startNode (t: Test, program: string, { store, diesAnswering = false }: Setting): Promise<Node> {
  const node = new NodeProcess(t, program)
  const options: WsEventsOptions = { store, defaultConfig: { enabled: true }, evolution: true }
  const port = await node.call('start', { port: 0, options, diesAnswering })
  return { url: `http://127.0.0.1:${port}`, kill: async () => { await node.kill() } }
}

/** The ids of an answer to a list. */
const idsOf = ({ body }: Answer): string[] => (body as unknown as Array<{ id: string }>).map(({ id }) => id)

/** Posts the same until it is answered: as a client does whose node has gone, which then asks another. */
async function postAtLast (urls: readonly string[], body: unknown, headers: Record<string, string>): Promise<Answer> {
  for (let tries = 0; ; tries++) {
    try {
      return await post({ url: urls[tries % urls.length] ?? '' }, EVENTS, body, headers)
    } catch (error) {
      if (tries > 20) throw error
    }
  }
}

t.test('ten callers with one key at once, on two nodes of which one is killed in the middle, make one event', { skip: withoutRedis }, async t => {
  const redis = await startRedis(t)
  const store = storeAt(redis.url, newPrefix())
  const program = await bundleNode(t)
  const survivor = await startNode(t, program, { store })
  const { inbox } = await listen(t, `${survivor.url}/acme`)
  const rounds = [{ diesAnswering: true }, { diesAnswering: false }]
  const expected: string[] = []
  for (const [round, { diesAnswering }] of rounds.entries()) {
    const victim = await startNode(t, program, { store, diesAnswering })
    const callers = Array.from({ length: 10 }, async (empty, n) =>
      await postAtLast(n % 2 === 0 ? [victim.url, survivor.url] : [survivor.url, victim.url], LIST, key(`k${round}`)))
    if (!diesAnswering) await victim.kill()
    const answers = await Promise.all(callers)
    const [first] = answers
    if (first === undefined) throw new Error('there are ten')
    for (const answer of answers) t.strictSame(answer.body, first.body)
    expected.push(...idsOf(first))
  }
  await post(survivor, EVENTS, { event: 'call', data: 'last' })
  const messages = await inbox.got(({ data }) => data === 'last')
  t.strictSame(messages.slice(0, -1).map(({ id }) => id), expected)
  t.strictSame(messages.map(({ data }) => data), [1, 2, 3, 1, 2, 3, 'last'])
})

t.test('on LMDB, a request that was killed between append and answer is answered with the same ids when it is repeated, and emits nothing', async t => {
  const path = mkdtempSync(join(tmpdir(), 'publish-'))
  t.teardown(() => { rmSync(path, { recursive: true, force: true }) })
  const store = `lmdb:${path}`
  const program = await bundleNode(t)
  const webhook = { event: 'call', instance: 'acme', data: 'hook', date_time: '2026-01-01T00:00:00.000Z' }
  const victim = await startNode(t, program, { store, diesAnswering: true })
  await t.rejects(post(victim, EVENTS, LIST, key('k')))
  const second = await startNode(t, program, { store, diesAnswering: true })
  await t.rejects(post(second, '/webhook/evolution', webhook))
  const node = await startNode(t, program, { store })
  const repeated = await post(node, EVENTS, LIST, key('k'))
  const hook = await post(node, '/webhook/evolution', webhook)
  t.equal(repeated.status, 200)
  const ids = idsOf(repeated)
  const page = await (await fetch(`${node.url}${EVENTS}?after=${ids[0] ?? ''}`)).json() as { recovered: boolean, events: Array<{ id: string, data: unknown }> }
  t.strictSame({ recovered: page.recovered, events: page.events.map(({ id, data }) => ({ id, data })) }, {
    recovered: true,
    events: [{ id: ids[1], data: 2 }, { id: ids[2], data: 3 }, { id: hook.body.id, data: 'hook' }]
  })
})
