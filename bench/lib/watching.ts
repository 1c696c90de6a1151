import { type LogRecord, type OpenStore, redisStore } from 'fastify-ws-events/stores'
import { instanceOf } from './instances.js'
import { EVENT, payload, SENDER } from './payload.js'

/** A node's store alone, without a server and its clients. */
export class StoreUser {
  /** Events that were told to those who watch. */
  heard = 0
  readonly #store: OpenStore

  private constructor (store: OpenStore) {
    this.#store = store
  }

  static async open (url: string): Promise<StoreUser> {
    const store = redisStore(url)
    return new StoreUser(await store.open({ retention: store.retention, logger: { warn: complain, error: complain } }))
  }

  /** Watches so many streams. @returns after how many ms none of them can miss anything */
  async watch (count: number): Promise<number> {
    const start = performance.now()
    await Promise.all(Array.from({ length: count }, async (_, index) => {
      await this.#store.log.watch(instanceOf(index), () => { this.heard++ }).ready
    }))
    return performance.now() - start
  }

  /** Appends events, each to the next of so many streams, one in `step`. */
  async append ({ events, streams, step = 1, bytes }: AppendOptions): Promise<void> {
    const data = payload(bytes)
    for (let index = 0; index < events;) {
      const appended: unknown[] = []
      for (let i = 0; i < AT_ONCE && index < events; i++) {
        const instance = instanceOf(index++ * step % streams)
        appended.push(this.#store.log.append([instance], recordOf(instance, data)))
      }
      await Promise.all(appended)
    }
  }
}

export interface AppendOptions {
  readonly events: number
  readonly streams: number
  readonly step?: number
  readonly bytes: number
}

const AT_ONCE = 2000

const complain = (details: object, message: string): void => { console.error(message, details) }

/** An event as it comes to the log. */
function recordOf (instance: string, data: object): LogRecord {
  const rest = JSON.stringify({ event: EVENT, instance, data, server_url: null, date_time: new Date().toISOString(), sender: SENDER })
  return { event: EVENT, instance, rest: Buffer.from(`,${rest.slice(1)}`), attachments: [] }
}
