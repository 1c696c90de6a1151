import type { Call } from './draw/calls.js'
import type { Goal } from './draw/limits.js'
import { type KeyWord, keyOf } from './keys.js'
import { HttpClient, type Place, SocketClient } from './limits-client.js'
import type { Flood, Histories } from './floods.js'

export interface LimitTarget extends Place {
  /** Another address at each call. */
  readonly nextAddress: () => string
  readonly histories: Histories
  readonly flood: (flood: Flood) => Promise<void>
  /** Makes calls in the server, and resolves to what is wrong with each. */
  readonly calls: (calls: readonly Call[]) => Promise<ReadonlyArray<string | null>>
}

/** What a limited server has, see `targets.ts`. */
export const PLACES = { connections: 160, connectionsPerAddress: 6, connectionsPerInstance: 24, refusalsPerMinute: 8, namespacesPerConnection: 4, instances: 40 } as const

/** How long what a client does takes to show in the server, in ms. Nothing is asserted by it. */
const SHOWS = 60
/** More messages, and more asking to be let in, than there may be in a second, whichever second they come in. */
const RATE = 100
const ASKS = 1300
/** `publishPerSecond` of the server that has it. */
export const PUBLISHED = 20
const LONG = 70_000

const OTHERS = ['call', 'messages.upsert', 'messages.delete', 'send.message', 'contacts.update', 'chats.update', 'presence.update', 'connection.update']

type HttpRequest = Parameters<HttpClient['write']>[0][number]
type Socket = 'websocket' | 'polling'
const isSocket = (way: Goal['way']): way is Socket => way === 'websocket' || way === 'polling'

/** Reaches one limit after the other, and leaves. */
export class LimitAttack {
  readonly #target: LimitTarget
  readonly #clients: Array<{ leave: () => void }> = []
  #names = 0

  constructor (target: LimitTarget) {
    this.#target = target
  }

  async run (goal: Goal): Promise<void> {
    try {
      await this.#reach(goal)
    } finally {
      for (const client of this.#clients.splice(0)) client.leave()
    }
  }

  async #reach (goal: Goal): Promise<void> {
    switch (goal.limit) {
      case 'connections': return await this.#fill(goal, PLACES.connections, () => this.#target.nextAddress())
      case 'connectionsPerAddress': {
        const address = this.#target.nextAddress()
        return await this.#fill(goal, PLACES.connectionsPerAddress, () => address)
      }
      case 'connectionsPerInstance': return await this.#fillInstance(goal)
      case 'refusalsPerMinute': return await this.#banned(goal)
      case 'namespacesPerConnection': return await this.#namespaces(goal)
      case 'idleMs': return await this.#idles(goal)
      case 'instances': return await this.#namesOf(goal)
      case 'inboundBytes':
      case 'inboundPerSecond': return await this.#sendsTooMuch(goal)
      case 'queuedBytes':
      case 'queuedBytesMax':
      case 'queuedBytesTotal': return await this.#reads(goal)
      case 'publishPerSecond': return await this.#publishes(goal.over)
      case 'messageBytes': return await this.#emits(goal.over, () => 'fuzz-gush', 'large')
      // Only while the store is away.
      case 'pendingEvents':
      case 'pendingBytes':
    }
  }

  #key (word: KeyWord): string {
    return keyOf(this.#target.marker, word)
  }

  async #socket (way: Socket, from = this.#target.nextAddress()): Promise<SocketClient> {
    const client = new SocketClient(way, { ...this.#target, from })
    this.#clients.push(client)
    return await client.open()
  }

  async #http (): Promise<HttpClient> {
    const client = new HttpClient(this.#target)
    this.#clients.push(client)
    return await client.open()
  }

  /** Waits for a while, and until the server has answered somebody else, and so has read what was sent before. */
  async #shows (): Promise<void> {
    await new Promise(resolve => { setTimeout(resolve, SHOWS) })
    const client = await this.#http()
    for (let time = 1; time <= 2; time++) {
      client.write([{ line: 'GET /monitor/page.css', headers: {} }])
      await client.answered(time)
    }
  }

  /** A request as a way makes it. */
  #request (way: Goal['way'], { name = 'fuzz-a', key = 'global', from, headers = {} }: { name?: string, key?: KeyWord, from: string, headers?: Record<string, string> }): HttpRequest {
    const at = encodeURIComponent(name)
    const paths: Partial<Record<Goal['way'], string>> = { page: `/instance/${at}/events?limit=5`, route: `/instance/${at}/websocket`, monitor: '/monitor/state' }
    const line = `GET ${paths[way] ?? `/instance/${at}/events`}`
    return { line, headers: { 'X-Forwarded-For': from, apikey: this.#key(key), Accept: way === 'stream' ? 'text/event-stream' : 'application/json', ...headers } }
  }

  #requests (count: number, make: () => HttpRequest): HttpRequest[] {
    return Array.from({ length: count }, make)
  }

  /** More clients than there may be, on their way in. */
  async #fill ({ way, over }: Goal, places: number, address: () => string): Promise<void> {
    const slow = (kind: Goal['way']) => this.#request(kind, { key: 'slow', from: address(), name: `fuzz-${'ab'[this.#names++ % 2]}` })
    if (!isSocket(way)) {
      const client = await this.#http()
      client.write(this.#requests(places + over, () => slow(way)))
      await this.#shows()
      return
    }
    const sockets = await Promise.all(Array.from({ length: over }, async () => await this.#socket(way, address())))
    const client = await this.#http()
    client.write(this.#requests(places, () => slow('page')))
    await this.#shows()
    await Promise.all(sockets.map(async socket => { await socket.join('/fuzz-a', { apikey: this.#key('global') }) }))
  }

  async #fillInstance ({ way, over }: Goal): Promise<void> {
    const one = (kind: Goal['way']) => this.#request(kind, { name: 'fuzz-full', from: this.#target.nextAddress() })
    const client = await this.#http()
    client.write(this.#requests(PLACES.connectionsPerInstance, () => one('stream')))
    await client.begun(1)
    if (!isSocket(way)) client.write(this.#requests(over, () => one(way)))
    else await this.#joinEach(way, over, '/fuzz-full')
    await this.#shows()
  }

  async #joinEach (way: Socket, count: number, namespace: string, from?: string): Promise<void> {
    await Promise.all(Array.from({ length: count }, async () => {
      const socket = await this.#socket(way, from)
      await socket.join(namespace, { apikey: this.#key('global') })
    }))
  }

  async #banned ({ way, over }: Goal): Promise<void> {
    const from = this.#target.nextAddress()
    const client = await this.#http()
    client.write(this.#requests(PLACES.refusalsPerMinute, () => this.#request('route', { key: 'no', from })))
    await client.answered(PLACES.refusalsPerMinute)
    if (isSocket(way)) {
      await this.#joinEach(way, over, '/fuzz-a', from)
      return
    }
    client.write(this.#requests(over, () => this.#request(way, { from })))
    await client.answered(PLACES.refusalsPerMinute + over)
  }

  async #namespaces ({ way, over, state }: Goal): Promise<void> {
    if (!isSocket(way)) return
    if (state === 'none') {
      await Promise.all(Array.from({ length: over }, async () => {
        const socket = await this.#socket(way)
        for (let time = 0; time <= PLACES.namespacesPerConnection + 1 && !socket.isClosed; time++) await socket.join(`/fuzz-n${time}`, { apikey: this.#key('no') })
      }))
      return
    }
    const socket = await this.#socket(way)
    for (const name of ['fuzz-a', 'fuzz-b', 'Teste%2001', 'caf%C3%A9', ...Array.from({ length: over }, (_, at) => `fuzz-o${at}`)]) {
      if (!socket.isClosed) await socket.join(`/${name}`, { apikey: this.#key('yes') })
    }
  }

  async #idles ({ way, over }: Goal): Promise<void> {
    if (!isSocket(way)) return
    const sockets = await Promise.all(Array.from({ length: over }, async () => await this.#socket(way)))
    await Promise.all(sockets.map(async socket => { await socket.ended() }))
  }

  /** More names than there may be. */
  async #namesOf ({ way, over }: Goal): Promise<void> {
    const name = () => `${this.#target.nextAddress()}-${this.#names++}`
    if (way === 'call') {
      await this.#emits(2 * PLACES.instances + over, name, 'text')
      return
    }
    const client = await this.#http()
    // Twice, because names without a past are forgotten when there are too many.
    client.write(this.#requests(2 * PLACES.instances, () => this.#request('page', { name: name(), from: this.#target.nextAddress() })))
    await client.answered(2 * PLACES.instances)
    if (isSocket(way)) {
      for (let time = 0; time < over; time++) await this.#joinEach(way, 1, `/${name()}`)
      return
    }
    if (way === 'route') client.write(this.#requests(over, () => this.#put(name())))
    else client.write(this.#requests(over, () => this.#request(way, { name: name(), from: this.#target.nextAddress() })))
    await this.#shows()
  }

  /** What the application emits by itself. */
  async #emits (count: number, name: () => string, data: 'text' | 'large'): Promise<void> {
    await this.#target.calls(Array.from({ length: count }, (): Call => ({ method: 'emit', given: [{ json: name() }, { json: 'call' }, data === 'large' ? { odd: 'large' } : { json: data }] })))
  }

  /** More requests of a key that has just published more than it may in some seconds. */
  async #publishes (over: number): Promise<void> {
    const { headers } = this.#request('route', { from: this.#target.nextAddress() })
    const body = `[${Array.from({ length: 4 * PUBLISHED }, () => '{"event":"call","data":null}').join()}]`
    const one = { line: 'POST /instance/fuzz-a/events', headers: { ...headers, 'Content-Type': 'application/json', 'Transfer-Encoding': `chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0` } }
    const client = await this.#http()
    client.write(this.#requests(1 + over, () => one))
    await client.answered(1 + over)
  }

  #put (name: string): HttpRequest {
    const { line, headers } = this.#request('route', { name, from: this.#target.nextAddress() })
    return { line: line.replace('GET', 'PUT'), headers: { ...headers, 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked\r\n\r\n10\r\n{"enabled":true}\r\n0' } }
  }

  /** A connection that is in an instance in each state in which it can be open, and then reads nothing. */
  async #inAllStates (way: Socket, history: keyof Histories): Promise<SocketClient> {
    const socket = await this.#socket(way)
    const apikey = this.#key('global')
    await socket.join('/fuzz-muted', { apikey })
    // At once, or others' floods would end it before it is in all of them.
    await socket.send([
      `40/${history},${JSON.stringify({ apikey, lastEventId: this.#target.histories[history] })}`,
      `40${history === 'fuzz-large' ? '/fuzz-gush' : '/fuzz-flow'},${JSON.stringify({ apikey })}`
    ])
    socket.stall()
    await this.#shows()
    return socket
  }

  async #sendsTooMuch ({ way, state, limit, over }: Goal): Promise<void> {
    if (!isSocket(way)) return
    const open = async () => state === 'none' ? await this.#socket(way) : await this.#inAllStates(way, 'fuzz-large')
    const sockets = await Promise.all(Array.from({ length: over }, open))
    const at = { live: '/fuzz-gush', muted: '/fuzz-muted', recovering: '/fuzz-large' }[state as string]
    const one = (count: number) => at === undefined ? `40/fuzz-n${count},{}` : `42${at},["subscribe",{}]`
    const many = Array.from({ length: at === undefined ? ASKS : RATE }, (empty, count) => one(count))
    await Promise.all(sockets.map(async socket => { await (limit === 'inboundBytes' ? socket.sendLong(LONG) : socket.send(many)) }))
    await this.#shows()
  }

  /** Clients that do not read what they get. */
  async #reads (goal: Goal): Promise<void> {
    const { way, limit, state, over } = goal
    const { flood } = this.#target
    const large = limit !== 'queuedBytes'
    if (state === 'none') return await this.#unreadRefusals(goal)
    if (way === 'page') return await this.#unreadPages(over)
    if (isSocket(way)) await Promise.all([1, 2].map(async () => { await this.#inAllStates(way, large ? 'fuzz-large' : 'fuzz-small') }))
    else if (state === 'recovering') await this.#pipelined(limit)
    else await this.#streams(over, large ? 'fuzz-gush' : 'fuzz-flow', {})
    await flood({ large, count: large ? 10 : 90 })
    await this.#shows()
  }

  /**
   * Streams that are not read.
   *
   * @param before what else is asked for first on their connection, by their number
   */
  async #streams (count: number, name: string, headers: Record<string, string>, before: (at: number) => HttpRequest[] = () => [], query: (at: number) => string = () => ''): Promise<HttpClient[]> {
    return await Promise.all(Array.from({ length: count }, async (empty, at) => {
      const client = await this.#http()
      const request = this.#request('stream', { name, from: this.#target.nextAddress(), headers })
      client.write([...before(at), { ...request, line: request.line + query(at) }])
      await client.begun(1)
      client.stall()
      return client
    }))
  }

  /** Streams that begin when too much waits on their connections already, or that nobody reads while too much waits for all. */
  async #pipelined (limit: Goal['limit']): Promise<void> {
    const { histories, flood, nextAddress } = this.#target
    const begin = (clients: readonly HttpClient[]) => { for (const client of clients) client.write([this.#request('stream', { name: 'fuzz-a', from: nextAddress() })]) }
    if (limit === 'queuedBytesMax') {
      const clients = await this.#streams(4, 'fuzz-gush', {})
      await flood({ large: true, count: 10, atOnce: true })
      begin(clients)
    } else if (limit === 'queuedBytesTotal') {
      // With a filter each, or what waits for them would count once.
      await this.#streams(8, 'fuzz-large', { 'Last-Event-ID': histories['fuzz-large'] }, () => [], at => `?events=messages.update,${OTHERS[at] ?? ''}`)
    } else {
      // How much waits depends on what went before.
      const clients = await this.#streams(9, 'fuzz-small', { 'Last-Event-ID': histories['fuzz-small'] }, at => at % 3 === 0 ? [] : [this.#history(at % 3)])
      await this.#shows()
      begin(clients)
    }
    await this.#shows()
  }

  /** A page of the history of large messages. */
  #history (limit: number): HttpRequest {
    const { nextAddress, histories } = this.#target
    const line = `GET /instance/fuzz-large/events?limit=${limit}&after=${histories['fuzz-large']}`
    return { ...this.#request('page', { from: nextAddress() }), line }
  }

  async #unreadPages (count: number): Promise<void> {
    const clients = await Promise.all(Array.from({ length: count }, async () => await this.#http()))
    for (const client of clients) {
      client.stall()
      client.write(this.#requests(6, () => this.#history(1000)))
    }
    for (let time = 0; time < 4; time++) await this.#shows()
  }

  /** Refusals that nobody polls for. */
  async #unreadRefusals ({ limit }: Goal): Promise<void> {
    const refused = (count: number) => Array.from({ length: count }, (_, at) => `40/fuzz-n${at},{"apikey":"${this.#key('no')}"}`)
    const isTotal = limit === 'queuedBytesTotal'
    const sockets = await Promise.all(Array.from({ length: 6 }, async () => await this.#socket('polling')))
    // What a bunch of refusals takes is seen at the next one.
    for (const count of isTotal ? [40, 20] : [340, 20]) for (const socket of sockets) await socket.send(refused(count))
    if (!isTotal) return await this.#shows()
    await this.#inAllStates('polling', 'fuzz-large')
    await this.#target.flood({ large: true, count: 10 })
    await this.#shows()
  }
}
