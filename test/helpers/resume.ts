import type { Manager, Socket } from 'socket.io-client'
import type { Message, Position, Ready } from '../../lib/index.js'
import { admitted, connect, type ClientOptions, Inbox } from './client.js'
import type { Scope } from './server.js'

export const datas = (messages: readonly Message[]): unknown[] => messages.map(({ data }) => data)

/** A client that gives an id, with all that it gets from its first moment. */
export async function resume (t: Scope, url: string, lastEventId: unknown, options: ClientOptions = {}): Promise<{ socket: Socket, inbox: Inbox, heard: string[], ready: Ready }> {
  const socket = connect(t, url, { ...options, auth: { ...options.auth as object, lastEventId } })
  const inbox = new Inbox(socket)
  const heard: string[] = []
  socket.onAny((event: string) => { heard.push(event) })
  const ready = new Promise<Ready>(resolve => { socket.once('ws.ready', resolve) })
  await admitted(socket)
  return { socket, inbox, heard, ready: await ready }
}

/** A stock client that keeps the newest id, and gives it whenever it comes back. */
export class Follower {
  readonly socket: Socket
  readonly inbox: Inbox
  readonly readies: Ready[] = []
  #last: string

  constructor (t: Scope, url: string, lastEventId = '', { manager, ...options }: ClientOptions & { manager?: Manager } = {}) {
    this.#last = lastEventId
    const auth = (give: (auth: object) => void): void => { give({ ...options.auth as object, lastEventId: this.#last }) }
    this.socket = manager === undefined ? connect(t, url, { ...options, auth }) : manager.socket(new URL(url).pathname, { auth })
    // What the stock client had received when its connection broke, it hands over after the next connect, and the
    // server, which was given the id from before, sends it again.
    this.inbox = new Inbox(this.socket, ({ id }) => id > this.#last)
    this.socket.onAny((event: string, { id }: Message) => { if (!event.startsWith('ws.') && id > this.#last) this.#last = id })
    this.socket.on('ws.position', ({ lastEventId }: Position) => { this.#last = lastEventId })
    this.socket.on('ws.ready', (ready: Ready) => {
      if (ready.recovered !== true) this.#last = ready.lastEventId
      this.readies.push(ready)
    })
    t.teardown(() => { this.socket.disconnect() })
  }

  /** Resolves when so many more messages are there. */
  async gotMore (count: number): Promise<void> {
    await this.inbox.got(this.inbox.messages.length + count)
  }

  /** Ends the connection, as a network does. */
  drop (): void {
    this.socket.io.engine.close()
  }

  /** Resolves to the newest `ws.ready` as soon as there are so many. */
  async nextReady (count: number): Promise<Ready[]> {
    while (this.readies.length < count) await new Promise(resolve => { this.socket.once('ws.ready', resolve) })
    return this.readies.slice(-1)
  }
}
