import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Scope } from '../../helpers/server.js'

const HOST = '127.0.0.1'

interface Pair {
  readonly client: Socket
  readonly upstream: Socket
  /** Whether it has asked for channels. */
  isSubscriber: boolean
}

/** A TCP proxy before a Redis, which does what networks do. */
export class RedisProxy {
  readonly port: number
  readonly url: string
  /** How often an answer was thrown away. */
  answersLost = 0
  /** What becomes of what Redis sends. */
  change: (bytes: Buffer) => Buffer = bytes => bytes
  #upstream: number
  #isOpen = true
  #lose = { text: '', left: 0, every: 1, seen: 0 }
  readonly #pairs = new Set<Pair>()

  constructor (server: Server, upstream: number) {
    this.port = (server.address() as AddressInfo).port
    this.url = `redis://${HOST}:${this.port}`
    this.#upstream = upstream
    server.on('connection', client => { this.#accept(client) })
  }

  /** How many connections there are now. */
  get connections (): number {
    return this.#pairs.size
  }

  #accept (client: Socket): void {
    if (!this.#isOpen) {
      client.destroy()
      return
    }
    const upstream = connect(this.#upstream, HOST)
    const pair: Pair = { client, upstream, isSubscriber: false }
    this.#pairs.add(pair)
    let isLosing = false
    client.on('data', (bytes: Buffer) => {
      if (bytes.includes('subscribe')) pair.isSubscriber = true
      if (this.#lose.left > 0 && bytes.includes(this.#lose.text) && this.#lose.seen++ % this.#lose.every === 0) {
        this.#lose.left--
        isLosing = true
      }
      upstream.write(bytes)
    })
    upstream.on('data', (bytes: Buffer) => {
      if (!isLosing) {
        client.write(this.change(bytes))
        return
      }
      // What is still on its way to Redis arrives there.
      this.answersLost++
      client.destroy()
      upstream.end()
    })
    for (const end of [client, upstream]) {
      end.on('error', () => {})
      end.on('close', () => {
        this.#pairs.delete(pair)
        client.destroy()
        if (end === client && isLosing) upstream.end()
        else upstream.destroy()
      })
    }
  }

  /** The answers to the next so many commands with a text in them do not arrive: the connection ends before. One in `every` such commands. */
  loseAnswers (text: string, times: number, every = 1): void {
    this.#lose = { text, left: times, every, seen: 0 }
  }

  /** Resets connections. */
  cut (which: 'all' | 'subscribers' | 'others' = 'all'): void {
    for (const { client, upstream, isSubscriber } of this.#pairs) {
      if (which === (isSubscriber ? 'others' : 'subscribers')) continue
      client.resetAndDestroy()
      upstream.destroy()
    }
  }

  /** Lets nobody in, and ends who is there, or some of them. */
  shut (which?: 'subscribers'): void {
    this.#isOpen = false
    this.cut(which)
  }

  open (): void {
    this.#isOpen = true
  }

  /** From now on it leads elsewhere. Who is connected is cut off. */
  leadTo (port: number): void {
    this.#upstream = port
    this.cut()
  }
}

/** A proxy before the Redis at a port. Closed with the test. */
export async function startRedisProxy (t: Scope, { port }: { readonly port: number }): Promise<RedisProxy> {
  const server = createServer().listen(0, HOST)
  await once(server, 'listening')
  const proxy = new RedisProxy(server, port)
  t.teardown(async () => {
    proxy.shut()
    server.close()
    await once(server, 'close')
  })
  return proxy
}
