import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** How long a server may leave somebody without an answer, in ms. Its own patience for the host's check is 10 s. */
export const PATIENCE = 30_000

/** What a server did not do in time. */
export class NoAnswer extends Error {}

/** A TCP connection whose bytes are written by hand. */
export class Tcp {
  readonly socket: Socket
  /** Resolves when it has ended, by whomever. */
  readonly closed: Promise<void>
  isClosed = false

  /** @param received told of all bytes that come */
  constructor (port: number, received: (bytes: Buffer) => void) {
    this.socket = connect({ host: '127.0.0.1', port, noDelay: true })
    this.socket.on('data', received)
    // A server that ends a connection in the middle of what it is sent resets it, and that is its right.
    this.socket.on('error', () => {})
    this.closed = new Promise(resolve => {
      this.socket.once('close', () => {
        this.isClosed = true
        resolve()
      })
    })
  }

  async opened (): Promise<void> {
    if (this.socket.connecting) await Promise.race([once(this.socket, 'connect'), this.closed])
  }

  write (bytes: Buffer | string): void {
    if (!this.isClosed) this.socket.write(bytes)
  }

  /** Says that nothing more comes, and waits until the other side has ended too. @throws NoAnswer */
  async end (): Promise<void> {
    this.socket.end()
    await inTime(this.closed, 'the connection was not ended')
  }

  /** Ends it at once, without leaving the port behind for a minute. */
  reset (): void {
    this.socket.resetAndDestroy()
  }
}

/** @throws NoAnswer when it takes too long */
export async function inTime<T> (promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((resolve, reject) => { timer = setTimeout(() => { reject(new NoAnswer(`${what} within ${PATIENCE} ms`)) }, PATIENCE) })
  return await Promise.race([promise, late]).finally(() => { clearTimeout(timer) })
}
