import { type ManagerOptions, io, type Socket, type SocketOptions } from 'socket.io-client'
import type { Message } from '../../lib/index.js'
import type { Refusal } from '../../lib/index.js'
import type { Scope } from './server.js'

export type ClientOptions = Partial<ManagerOptions & SocketOptions>
export type Transport = 'websocket' | 'polling'

/** Both ways in, for tests that must hold on each. */
export const transports: readonly Transport[] = ['websocket', 'polling']

/** A stock client with a connection of its own, closed when the test ends. Reconnects fast, so that tests need not wait. */
export function connect (t: Scope, url: string, options: ClientOptions = {}): Socket {
  const socket = io(url, { forceNew: true, transports: ['websocket'], reconnectionDelay: 20, reconnectionDelayMax: 100, ...options })
  t.teardown(() => { socket.disconnect() })
  return socket
}

/** Resolves when a client is in; rejects when it is refused. */
export async function admitted (socket: Socket): Promise<Socket> {
  if (socket.connected) return socket
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('connect_error', reject)
  })
  return socket
}

/** Resolves to why a client is refused; rejects when it is let in. */
export async function refused (socket: Socket): Promise<Refusal> {
  return await new Promise((resolve, reject) => {
    socket.once('connect', () => { reject(new Error('the client was let in')) })
    socket.once('connect_error', (error: Error & { data?: Refusal }) => {
      if (error.data === undefined) reject(error)
      else resolve(error.data)
    })
  })
}

/** Resolves to the reason of a client's next disconnection. */
export async function disconnected (socket: Socket): Promise<string> {
  return await new Promise(resolve => { socket.once('disconnect', resolve) })
}

/** Collects every message that a client gets from now on. */
export class Inbox {
  readonly messages: Message[] = []
  readonly #waiting: Array<() => void> = []

  /** @param isNew which messages to take; left out: all */
  constructor (socket: Socket, isNew: (message: Message) => boolean = () => true) {
    socket.onAny((event: string, message: Message) => {
      if (event.startsWith('ws.') || !isNew(message)) return
      this.messages.push(message)
      for (const check of this.#waiting) check()
    })
  }

  /** Resolves to all messages as soon as there are `count` of them, or one that `until` takes. */
  async got (until: number | ((message: Message) => boolean)): Promise<Message[]> {
    const enough = () => typeof until === 'number' ? this.messages.length >= until : this.messages.some(until)
    if (!enough()) {
      await new Promise<void>(resolve => {
        this.#waiting.push(() => { if (enough()) resolve() })
      })
    }
    return this.messages
  }
}

/** A client that is in, with all that it gets from its first moment. */
export async function listen (t: Scope, url: string, options: ClientOptions = {}): Promise<{ socket: Socket, inbox: Inbox }> {
  const socket = connect(t, url, options)
  const inbox = new Inbox(socket)
  await admitted(socket)
  return { socket, inbox }
}
