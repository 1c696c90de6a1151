import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { LargeWaiting } from '../backlog.js'
import { Connection, type ConnectionTelemetry } from '../connection.js'
import { HEARTBEAT, opening } from '../sse.js'
import { type Transport, transportOf } from './transport.js'

/** To look again, in ms, where no event tells that something has gone out. */
const LOOK_AGAIN = 100
/** How long what waits for a client may take to go out when its stream ends, in ms. */
const END_TIMEOUT = 3000

/** An HTTP response: an event stream, or a page of history. It carries one session. */
export class ResponseConnection extends Connection {
  readonly transport: Transport
  readonly #response: ServerResponse
  readonly #socket: Socket
  /** Whether nothing was written since the last heartbeat. */
  #isQuiet = false
  #isClosed = false
  readonly #closeListeners = new Set<() => void>()
  /** Bytes that were written by this object. */
  #written = 0
  /** Bytes of a page, which is made at once and then written. */
  #reserved = 0
  // As they were when something had left last.
  #left = 0
  #taken = 0
  #movedAt = performance.now()

  /** @param response that nothing is written to yet */
  constructor (
    request: IncomingMessage,
    response: ServerResponse,
    address: string | null,
    telemetry: ConnectionTelemetry
  ) {
    super(address, telemetry)
    this.#response = response
    this.#socket = request.socket
    this.transport = transportOf(request)
    this.transport.add(this)
    response.once('close', () => { this.closed() })
    if (this.isGone) this.closed()
  }

  get queuedBytes (): number {
    return Math.max(this.#response.writableLength, this.#reserved)
  }

  get takenBytes (): number {
    return this.transport.takenBytes
  }

  override get largeWaiting (): LargeWaiting {
    return this.transport.largeWaiting
  }

  /** Counts a page as waiting from when it is made until its response is complete. */
  reserve (bytes: number): void {
    this.#reserved = bytes
  }

  override get transportBytes (): number {
    return this.transport.queuedBytes
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
    this.#written += Buffer.byteLength(text)
    this.#response.write(text)
  }

  /** Writes something if nothing was written since the last time, so that proxies keep the connection. */
  beat (): void {
    // What waits keeps it as well, and a client that reads nothing gets no more for it.
    if (this.#isQuiet && !this.ended && this.queuedBytes === 0) this.write(HEARTBEAT)
    this.#isQuiet = true
  }

  /**
   * For how long nothing of what waits for the client has left, in ms, as far as earlier calls have seen.
   *
   * @param now by `performance.now()`
   */
  stalledFor (now: number): number {
    const { takenBytes } = this
    // A page that the application's hooks still hold is not the client's to read.
    const { writableLength } = this.#response
    const left = this.#written - writableLength
    if (writableLength === 0 || left !== this.#left || takenBytes !== this.#taken) this.#movedAt = now
    this.#left = left
    this.#taken = takenBytes
    return now - this.#movedAt
  }

  /** The client has gone, or has everything. */
  closed (): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.transport.delete(this)
    for (const listener of this.#closeListeners) listener()
    this.#closeListeners.clear()
  }

  /** Calls once when the client has gone, or has everything; at once where that is so already. */
  whenClosed (listener: () => void): void {
    if (this.#isClosed) listener()
    else this.#closeListeners.add(listener)
  }

  async drained (): Promise<void> {
    const response = this.#response
    await new Promise<void>(resolve => {
      // Where Node will emit `drain`, nothing has to look for it: many clients may wait.
      const timer = response.writableNeedDrain ? undefined : setTimeout(() => { settle() }, LOOK_AGAIN)
      const settle = () => {
        clearTimeout(timer)
        response.off('drain', settle)
        this.#closeListeners.delete(settle)
        resolve()
      }
      response.once('drain', settle)
      this.whenClosed(settle)
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
    if (this.#response.socket === null) this.transport.destroy()
  }
}
