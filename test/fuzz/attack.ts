import type { Call } from './draw/calls.js'
import type { EventsAsk } from './draw/events.js'
import type { HttpRequest } from './draw/http.js'
import type { Session } from './draw/session.js'
import type { Ask, Frame, Post, Upgrade } from './draw/sockets.js'
import { Claims } from './claims.js'
import { EventsClient } from './events-client.js'
import { httpFault, packetFault, publishFault } from './judge.js'
import { eventsFault } from './judge-events.js'
import { keyOf } from './keys.js'
import { Mailbox } from './mailbox.js'
import { bytesOf, type Part, textOf } from './parts.js'
import { LimitAttack, type LimitTarget } from './limit-attack.js'
import type { Goal } from './draw/limits.js'
import { HttpConnection } from './wire/http.js'
import { RawPolling } from './wire/polling.js'
import { requestBytes } from './wire/request.js'
import { NoAnswer, Tcp } from './wire/tcp.js'
import { type Listener, RawWebSocket } from './wire/websocket.js'

export interface Target extends Pick<LimitTarget, 'port' | 'marker' | 'nextAddress' | 'histories' | 'flood' | 'calls'> {
  /** The newest id that a client was told. */
  readonly newestId: () => string
  /** The address that the attacker comes from, where the server believes what it is told of that. */
  readonly from: string | undefined
}

/** Told of each input that the server does not stand as it should. */
type Blame = (what: string, input: unknown) => void

/** A connection that carries packets of Engine.IO as texts. */
interface Carrier {
  readonly mailbox: Mailbox
  readonly isClosed: () => boolean
  send (parts: readonly Part[]): Promise<void>
  end (): Promise<void>
}

/** The last thing that a client sends, to see that the server is still with it. */
const LAST_ID = 9
const isAnswer = (packet: string): boolean => /^4[04]/.test(packet)
const isLast = (packet: string): boolean => packet.startsWith('41') || new RegExp(`^43(/[^,]*,)?${LAST_ID}\\[`).test(packet)

/** What it rejects with is seen by who waits for all, at their end. */
function harmless<T> (promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

/** One attacker: does to the server what a session says. */
export class Attack {
  readonly #target: Target
  readonly #blame: Blame

  constructor (target: Target, blame: Blame) {
    this.#target = target
    this.#blame = blame
  }

  async run (session: Session): Promise<void> {
    switch (session.kind) {
      case 'http': return await this.#http(session.inputs, httpFault)
      case 'monitor': return await this.#http(session.inputs, eventsFault)
      case 'publish': return await this.#http(session.inputs, publishFault)
      case 'events': return await this.#events(session.inputs)
      case 'handshake': return await this.#handshakes(session.inputs)
      case 'garbage': return await this.#garbage(session.inputs)
      case 'frames': return await this.#frames(session.joins, session.inputs)
      case 'packets': return await this.#packets(session.joins, session.inputs)
      case 'bodies': return await this.#bodies(session.joins, session.inputs)
      case 'upgrades': return await this.#upgrades(session.joins, session.inputs)
      case 'clients': return await this.#clients(session.transport, session.inputs)
      case 'limits': return await this.#limits(session.inputs)
      case 'calls': return await this.#calls(session.inputs)
    }
  }

  /** Whatever the server does not do in time is its fault. @returns whether it has done it */
  async #blaming (input: unknown, work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
      this.#blame(error.message, input)
      return false
    }
  }

  async #http (requests: readonly HttpRequest[], judge: typeof httpFault): Promise<void> {
    let connection = new HttpConnection(this.#target.port)
    for (const request of requests) {
      if (connection.isClosed) connection = new HttpConnection(this.#target.port)
      // What comes later would be taken for the answer to the next one.
      if (!await this.#exchange(connection, request, judge)) connection.end()
    }
    connection.end()
  }

  async #events (asks: readonly EventsAsk[]): Promise<void> {
    const { port, marker } = this.#target
    for (const ask of asks) {
      await this.#blaming(ask, async () => {
        await new EventsClient(port, { ...ask, requests: ask.requests.map(request => this.#fromHere(request)) }, this.#target.newestId(), marker, what => { this.#blame(what, ask) }).run()
      })
    }
  }

  /** Each on a connection of its own, since it may be a WebSocket from then on. */
  async #handshakes (requests: readonly HttpRequest[]): Promise<void> {
    for (const request of requests) {
      const connection = new HttpConnection(this.#target.port)
      await this.#exchange(connection, request, httpFault)
      connection.end()
    }
  }

  /** The same request, from the address of this attacker if it says nothing else. */
  #fromHere (request: HttpRequest): HttpRequest {
    const { from } = this.#target
    const says = request.headers.some(([name]) => name === 'X-Forwarded-For')
    return from === undefined || says ? request : { ...request, headers: [...request.headers, ['X-Forwarded-For', [from]]] }
  }

  /** @returns whether there was an answer */
  async #exchange (connection: HttpConnection, request: HttpRequest, judge: typeof httpFault): Promise<boolean> {
    return await this.#blaming(request, async () => {
      const answer = await connection.exchange(requestBytes(this.#fromHere(request), this.#target.newestId()), request.method === 'HEAD')
      const fault = answer === null ? undefined : judge(request, answer, this.#target.marker)
      if (fault !== undefined) this.#blame(fault, request)
    })
  }

  async #garbage (all: ReadonlyArray<readonly Part[]>): Promise<void> {
    for (const parts of all) {
      await this.#blaming(parts, async () => {
        const tcp = new Tcp(this.#target.port, () => {})
        await tcp.opened()
        tcp.write(bytesOf(parts, this.#target.newestId()))
        await tcp.end()
      })
    }
  }

  /** Many of them end the connection. Those that come after find a new one. */
  async #frames (joins: boolean, frames: readonly Frame[]): Promise<void> {
    await this.#blaming(frames, async () => {
      let socket = await this.#openWebSocket(joins, frames)
      for (const frame of frames) {
        if (socket.tcp.isClosed) socket = await this.#openWebSocket(joins, frames)
        socket.write(frame, this.#target.newestId())
        // So that the server reads it before there is more.
        await new Promise(resolve => { setImmediate(resolve) })
      }
      await socket.tcp.end()
    })
  }

  async #openWebSocket (joins: boolean, input: unknown): Promise<RawWebSocket> {
    const mailbox = new Mailbox()
    const socket = new RawWebSocket(this.#target.port, this.#listener(mailbox, input), this.#target.from)
    void socket.tcp.closed.then(() => { mailbox.close() })
    await socket.open()
    if (joins) {
      socket.send(this.#join('/fuzz-a'), '')
      await mailbox.next(isAnswer, 'no answer to who comes in')
    }
    return socket
  }

  #join (namespace: string): Part[] {
    return [`40${namespace},{"apikey":"${keyOf(this.#target.marker, 'global')}"}`]
  }

  /** What watches a connection, from its first byte on. */
  #listener (mailbox: Mailbox, input: unknown): Listener {
    const claims = new Claims(this.#target.marker)
    return {
      sent: bytes => { claims.sent(bytes) },
      packet: packet => {
        const fault = packetFault(packet) ?? claims.fault(packet)
        if (fault !== undefined) this.#blame(fault, input)
        mailbox.put(packet)
      }
    }
  }

  async #packets (joins: boolean, packets: ReadonlyArray<readonly Part[]>): Promise<void> {
    await this.#blaming(packets, async () => {
      let carrier = await this.#webSocket(packets)
      if (joins) await this.#comesIn(carrier)
      for (const packet of packets) {
        if (carrier.isClosed()) carrier = await this.#webSocket(packets)
        await carrier.send(packet)
      }
      await this.#comesIn(carrier)
      await carrier.end()
    })
  }

  async #comesIn (carrier: Carrier): Promise<void> {
    await carrier.send(this.#join('/fuzz-b'))
    await carrier.mailbox.next(isAnswer, 'no answer to who comes in')
  }

  async #webSocket (input: unknown): Promise<Carrier> {
    const mailbox = new Mailbox()
    const socket = new RawWebSocket(this.#target.port, this.#listener(mailbox, input), this.#target.from)
    void socket.tcp.closed.then(() => { mailbox.close() })
    await socket.open()
    return {
      mailbox,
      isClosed: () => socket.tcp.isClosed,
      send: async parts => {
        socket.send(parts, this.#target.newestId())
        await new Promise(resolve => { setImmediate(resolve) })
      },
      end: async () => { await socket.tcp.end() }
    }
  }

  async #polling (input: unknown): Promise<Carrier> {
    const mailbox = new Mailbox()
    const polling = new RawPolling(this.#target.port, this.#listener(mailbox, input), this.#target.from)
    await polling.open()
    const polls = (async () => {
      while (!polling.isClosed) await polling.poll()
    })().finally(() => {
      mailbox.close()
      polling.vanish()
    })
    // Whoever ends it is told of what went wrong.
    polls.catch(() => {})
    return {
      mailbox,
      isClosed: () => polling.isClosed,
      send: async parts => {
        const answer = await polling.post(parts, this.#target.newestId())
        if (answer?.status !== 200) polling.isClosed = true
      },
      end: async () => {
        await polling.close()
        await polls
      }
    }
  }

  async #bodies (joins: boolean, posts: readonly Post[]): Promise<void> {
    await this.#blaming(posts, async () => {
      const ignored = new Mailbox()
      let polling = new RawPolling(this.#target.port, this.#listener(ignored, posts), this.#target.from)
      const polls: Array<Promise<unknown>> = []
      await polling.open()
      if (joins) await polling.post(this.#join('/fuzz-a'), '')
      for (const { body, contentType, polls: count } of posts) {
        if (polling.isClosed) {
          polling.vanish()
          polling = new RawPolling(this.#target.port, this.#listener(ignored, posts), this.#target.from)
          await polling.open()
        }
        for (let poll = 0; poll < count; poll++) polls.push(harmless(polling.poll()))
        const answer = await polling.post(body, this.#target.newestId(), contentType)
        if (answer?.status !== 200) polling.isClosed = true
      }
      // As a machine that is switched off.
      polling.vanish()
      await Promise.all(polls)
    })
  }

  async #upgrades (joins: boolean, upgrades: readonly Upgrade[]): Promise<void> {
    for (const upgrade of upgrades) await this.#blaming(upgrade, async () => { await this.#goOver(joins, upgrade) })
  }

  async #goOver (joins: boolean, { steps, packet, frame }: Upgrade): Promise<void> {
    const listener = this.#listener(new Mailbox(), steps)
    const polling = new RawPolling(this.#target.port, listener, this.#target.from)
    await polling.open()
    if (joins) await polling.post(this.#join('/fuzz-a'), '')
    const sockets = [new RawWebSocket(this.#target.port, listener, this.#target.from)]
    const polls: Array<Promise<unknown>> = []
    await sockets[0]?.open(polling.sid)
    for (const step of steps) {
      const socket = sockets.at(-1)
      const newestId = this.#target.newestId()
      if (step === 'probe') socket?.send(['2probe'], '')
      else if (step === 'upgrade') socket?.send(['5'], '')
      else if (step === 'packet') socket?.send(packet, newestId)
      else if (step === 'frame') socket?.write(frame, newestId)
      else if (step === 'post') await polling.post(packet, newestId)
      else if (step === 'poll') polls.push(harmless(polling.poll()))
      else {
        const second = new RawWebSocket(this.#target.port, listener, this.#target.from)
        sockets.push(second)
        await second.open(polling.sid)
      }
      await new Promise(resolve => { setImmediate(resolve) })
    }
    await Promise.all(sockets.map(async ({ tcp }) => { await tcp.end() }))
    polling.vanish()
    await Promise.all(polls)
  }

  async #clients (transport: 'websocket' | 'polling', asks: readonly Ask[]): Promise<void> {
    const open = transport === 'websocket' ? async (ask: Ask) => await this.#webSocket(ask) : async (ask: Ask) => await this.#polling(ask)
    let carrier: Carrier | undefined
    for (const ask of asks) {
      await this.#blaming(ask, async () => {
        if (carrier === undefined || carrier.isClosed()) carrier = await open(ask)
        await this.#ask(carrier, ask)
      })
    }
    await this.#blaming(asks, async () => { await carrier?.end() })
  }

  async #ask (carrier: Carrier, { namespace, auth, sends }: Ask): Promise<void> {
    await carrier.send(['40', ...namespace, ',', ...auth])
    const answer = await carrier.mailbox.next(isAnswer, 'no answer to who comes in')
    if (answer?.startsWith('40') !== true) return
    // By the name that the server knows it by: what comes after a comma is no part of it.
    const [at = ''] = textOf(namespace, '').split(',')
    for (const parts of sends) await carrier.send(['42', at, ',', '1', ...parts])
    await carrier.send([`42${at},${LAST_ID}["subscribe",{}]`])
    await carrier.mailbox.next(isLast, 'no acknowledgement')
  }

  async #limits (goals: readonly Goal[]): Promise<void> {
    for (const goal of goals) {
      const blame = (what: string) => { this.#blame(what, goal) }
      await this.#blaming(goal, async () => { await new LimitAttack({ ...this.#target, from: this.#target.nextAddress(), blame }).run(goal) })
    }
  }

  async #calls (calls: readonly Call[]): Promise<void> {
    for (const [at, fault] of (await this.#target.calls(calls)).entries()) {
      if (fault !== null) this.#blame(fault, calls[at])
    }
  }
}
