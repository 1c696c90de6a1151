import { EventEmitter } from 'node:events'
import t from 'tap'
import { Keys } from '../../lib/stores/redis/keys.js'
import type { RedisClient } from '../../lib/stores/redis/client.js'
import { Link } from '../../lib/stores/redis/link.js'
import { FORMAT, scripts } from '../../lib/stores/redis/scripts.js'

/** A client whose Redis takes part in one life of the log, and never answers who asks for a hash. */
class Client extends EventEmitter {
  readonly status = 'ready'
  readonly options = { db: 0 }
  /** Scripts that were run. */
  readonly ran: string[] = []

  async connect (): Promise<void> {}

  async script (): Promise<void> {}

  async callBuffer (command: string, sha: string): Promise<Buffer[]> {
    this.ran.push(sha)
    return sha === scripts.join.sha ? [FORMAT, 'abc123', '1', '1-0', '', '7.0.0', 'noeviction'].map(text => Buffer.from(text)) : []
  }

  async hmget (): Promise<never> {
    return await new Promise(() => {})
  }

  disconnect (): void {}
}

t.test('a question that is not answered in time does not hold up what is appended', async t => {
  const client = new Client()
  const link = new Link({ client: client as unknown as RedisClient, keys: new Keys('test', 0), logger: { warn: () => {}, error: () => {} } as never })
  t.teardown(() => { link.close() })
  link.open()
  const life = await link.current()
  const joins = client.ran.length
  await t.rejects(link.ask(async client => await client.hmget('configs', 'acme')), { code: 'FST_ERR_WS_EVENTS_STORE_UNAVAILABLE' })
  t.equal(link.life, life, 'it is joined as before')
  await link.run(scripts.append, [], [])
  t.strictSame(client.ran.slice(joins), [scripts.append.sha], 'and need not be joined again')
})
