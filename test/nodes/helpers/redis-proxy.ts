import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { RedisServer } from '../../helpers/redis.js'
import type { Scope } from '../../helpers/server.js'

/** No word that is looked for is longer. */
const MAX_WORD = 64

const timesIn = (text: string, word: string): number => text.split(word).length - 1

/** Stands between one node and Redis: sees what Redis sends to that node alone, and can cut it off. */
export class RedisProxy {
  /** Bytes that Redis has sent. */
  bytes = 0
  #url = ''
  #isOpen = true
  readonly #redis: RedisServer
  // Map(the node's side -> Redis' side)
  readonly #connections = new Map<Socket, Socket>()
  // Map(word -> how often it was seen)
  readonly #words = new Map<string, number>()

  private constructor (redis: RedisServer) {
    this.#redis = redis
  }

  static async start (t: Scope, redis: RedisServer): Promise<RedisProxy> {
    const proxy = new RedisProxy(redis)
    const server = createServer(socket => { proxy.#accept(socket) }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    proxy.#url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`
    t.teardown(() => {
      server.close()
      proxy.cut()
    })
    return proxy
  }

  get url (): string {
    return this.#url
  }

  /** The node's connections, as the addresses that Redis knows them by. */
  get addresses (): string[] {
    return [...this.#connections.values()].map(({ localAddress, localPort }) => `${localAddress}:${localPort}`)
  }

  /** From now on counts how often Redis sends a word. */
  count (word: string): () => number {
    this.#words.set(word, 0)
    return () => this.#words.get(word) ?? 0
  }

  #accept (socket: Socket): void {
    if (!this.#isOpen) {
      socket.destroy()
      return
    }
    const upstream = connect(this.#redis.port, '127.0.0.1')
    this.#connections.set(socket, upstream)
    socket.pipe(upstream)
    // The end of what was seen may be the beginning of a word.
    let before = ''
    upstream.on('data', data => {
      before = this.#look(before, data)
      socket.write(data)
    })
    for (const end of [socket, upstream]) {
      end.on('error', () => {})
      end.on('close', () => {
        this.#connections.delete(socket)
        socket.destroy()
        upstream.destroy()
      })
    }
  }

  /** @returns the end of what was seen */
  #look (before: string, data: Buffer): string {
    this.bytes += data.length
    const text = before + data.toString('latin1')
    for (const [word, count] of this.#words) this.#words.set(word, count + timesIn(text, word) - timesIn(before, word))
    return text.slice(-MAX_WORD)
  }

  /** Ends the connections, and lets none through until {@link open}. */
  cut (): void {
    this.#isOpen = false
    for (const socket of this.#connections.keys()) socket.destroy()
  }

  /** The connections of now are dead, and nobody is told: what is sent is swallowed. New ones work. */
  freeze (): void {
    for (const [socket, upstream] of this.#connections) {
      socket.unpipe(upstream)
      upstream.removeAllListeners('data')
      for (const end of [socket, upstream]) end.resume()
    }
  }

  open (): void {
    this.#isOpen = true
  }
}
