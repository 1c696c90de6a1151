import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Connection } from '../connection.js'
import type { Telemetry } from '../telemetry.js'
import { HEARTBEAT, opening } from '../sse.js'

/** To look again, in ms, where no event tells that something has gone out. */
const LOOK_AGAIN = 100
/** How long what waits for a client may take to go out when its stream ends, in ms. */
const END_TIMEOUT = 3000

/** An HTTP response: an event stream, or a page of history. It carries one session. */
export class ResponseConnection extends Connection {
  readonly #response: ServerResponse
  readonly #socket: Socket
  /** Whether nothing was written since the last heartbeat. */
  #isQuiet = false

  /**
   * @param response that nothing is written to yet
   * @param socket that carries it
   */
  constructor (response: ServerResponse, socket: Socket, address: string | null, telemetry: Telemetry) {
    super(address, telemetry)
    this.#response = response
    this.#socket = socket
  }

  get queuedBytes (): number {
    return this.#response.writableLength
  }

  /** Whether the client has gone. */
  get isGone (): boolean {
    return this.#response.destroyed || this.#socket.destroyed
  }

  /** Whether the response was written to its end. */
  get isComplete (): boolean {
    return this.#response.writableFinished
  }

  /** Begins a stream. Call it when the headers are written. */
  begin (): void {
    this.write(opening())
  }

  write (text: Buffer | string): void {
    this.#isQuiet = false
    this.#response.write(text)
  }

  /** Writes something if nothing was written since the last time, so that proxies keep the connection. */
  beat (): void {
    // What waits keeps it as well, and a client that reads nothing gets no more for it.
    if (this.#isQuiet && !this.ended && this.queuedBytes === 0) this.#response.write(HEARTBEAT)
    this.#isQuiet = true
  }

  /**
   * Calls once when the client has gone, or has everything; at once where it has gone already. A response that waits behind another one on its connection
   * (pipelining) is never told that the connection has closed.
   */
  whenClosed (closed: () => void): void {
    if (this.isGone) {
      closed()
      return
    }
    let isSettled = false
    const settle = () => {
      this.#response.off('close', settle)
      // Over HTTP/2 this removes nothing: `once` of a request's socket listens to its stream, and `off` does not.
      this.#socket.off('close', settle)
      if (isSettled) return
      isSettled = true
      closed()
    }
    this.#response.once('close', settle)
    this.#socket.once('close', settle)
  }

  async drained (): Promise<void> {
    await new Promise<void>(resolve => {
      const settle = () => {
        clearTimeout(timer)
        for (const event of ['drain', 'close']) this.#response.off(event, settle)
        resolve()
      }
      const timer = setTimeout(settle, LOOK_AGAIN)
      for (const event of ['drain', 'close']) this.#response.once(event, settle)
    })
  }

  /** Ends the response after what waits for the client. Resolves when it has ended. */
  async finish (): Promise<void> {
    if (this.isGone) return
    this.markEnded()
    await new Promise<void>(resolve => {
      const timer = setTimeout(() => { this.terminate() }, END_TIMEOUT)
      this.whenClosed(() => {
        clearTimeout(timer)
        resolve()
      })
      this.#response.end()
    })
  }

  protected terminate (): void {
    this.#response.destroy()
    // It waits behind another one.
    if (this.#response.socket === null) this.#socket.destroy()
  }
}
