import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { LargeWaiting } from '../backlog.js'
import { Connection, type ConnectionTelemetry } from '../connection.js'
import { HEARTBEAT, opening } from '../sse.js'
import { type Transport, transportOf } from './transport.js'

/** Interval, in ms, for checking the response when no event reports progress. */
const CHECK_PERIOD = 100
/** When a stream ends: how long queued bytes may take to be sent, in ms. */
const END_TIMEOUT = 3000

/** An HTTP response: an event stream, or a page of history. It carries one session. */
export class ResponseConnection extends Connection {
  readonly transport: Transport
  readonly #response: ServerResponse
  readonly #socket: Socket
  /** True if nothing was written since the last heartbeat. */
  #isQuiet = false
  #isClosed = false
  readonly #closeListeners = new Set<() => void>()
  /** Bytes that this object has written. */
  #written = 0
  /** Bytes of a page, from its creation until it is written. */
  #reserved = 0
  // Bytes that had left the response when progress was last seen.
  #sentBytes = 0
  #taken = 0
  #movedAt = performance.now()

  /** @param response to which nothing has been written yet */
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
    if (this.isDisconnected) this.closed()
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

  /** Counts the bytes of a page as queued, from its creation until the response is complete. */
  reserve (bytes: number): void {
    this.#reserved = bytes
  }

  override get transportBytes (): number {
    return this.transport.queuedBytes
  }

  /** Whether the client has disconnected. */
  get isDisconnected (): boolean {
    return this.#response.destroyed || this.#socket.destroyed
  }

  /** Whether the response is complete. */
  get isComplete (): boolean {
    return this.#response.writableFinished
  }

  /** Starts an event stream. Must be called after the headers are written. */
  begin (): void {
    this.write(opening())
  }

  write (text: Buffer | string): void {
    this.#isQuiet = false
    this.#written += Buffer.byteLength(text)
    this.#response.write(text)
  }

  /** Writes a heartbeat if nothing was written since the last call, so that proxies do not end the connection. */
  sendHeartbeat (): void {
    // Queued bytes have the same effect, and a client that reads nothing must not get more.
    if (this.#isQuiet && !this.ended && this.queuedBytes === 0) this.write(HEARTBEAT)
    this.#isQuiet = true
  }

  /**
   * How long none of the queued bytes has been sent, in ms, as far as previous calls have observed.
   *
   * @param now by `performance.now()`
   */
  stalledFor (now: number): number {
    const { takenBytes } = this
    // A page that the application's hooks still process is not sent to the client yet.
    const { writableLength } = this.#response
    const left = this.#written - writableLength
    if (writableLength === 0 || left !== this.#sentBytes || takenBytes !== this.#taken) this.#movedAt = now
    this.#sentBytes = left
    this.#taken = takenBytes
    return now - this.#movedAt
  }

  /** The response has closed: it is complete, or the client has disconnected. */
  closed (): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.transport.delete(this)
    for (const listener of this.#closeListeners) listener()
    this.#closeListeners.clear()
  }

  /** Calls `listener` once when the response has closed; at once if it is already closed. */
  whenClosed (listener: () => void): void {
    if (this.#isClosed) listener()
    else this.#closeListeners.add(listener)
  }

  async drained (): Promise<void> {
    const response = this.#response
    await new Promise<void>(resolve => {
      // A timer is needed only if Node will not emit `drain`. There may be many clients.
      const timer = response.writableNeedDrain ? undefined : setTimeout(() => { settle() }, CHECK_PERIOD)
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

  /** Ends the response after its queued bytes. Resolves when it has closed. */
  async finish (): Promise<void> {
    if (this.isDisconnected) return
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
    // The response is queued behind another one on the same socket.
    if (this.#response.socket === null) this.transport.destroy()
  }
}
