import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { takenBytes } from '../kernel.js'

/** Where an answer is written to. */
interface Way {
  /** `null` for one that waits behind another answer. */
  readonly socket: Socket | null
  /** What the kernel had taken before the answer. */
  readonly before: number
}

/** In bytes. Texts from this length on are written as bytes. */
const LARGE = 64 * 1024

/** Node holds a text beside its bytes until the kernel has all of them: a large answer would be held twice. */
function writeAsBytes (response: ServerResponse): void {
  const { end } = response
  response.end = function (this: ServerResponse, ...[chunk, ...rest]: unknown[]) {
    const content = typeof chunk === 'string' && chunk.length >= LARGE ? Buffer.from(chunk) : chunk
    return Reflect.apply(end, this, [content, ...rest]) as ServerResponse
  }
}

const takenOn = ({ socket, before }: Way): number => socket === null ? 0 : takenBytes(socket) - before

/** The answers to polls of one connection that were not read yet. */
export class Polls {
  readonly #unread = new Map<ServerResponse, Way>()
  /** What the kernel has taken of the answers that are complete. */
  #taken = 0

  /** Notes an answer before it is written. */
  add (response: ServerResponse): void {
    writeAsBytes(response)
    const { socket } = response
    const way = { socket, before: socket === null ? 0 : takenBytes(socket) }
    this.#unread.set(response, way)
    response.once('close', () => {
      this.#taken += takenOn(way)
      this.#unread.delete(response)
    })
  }

  /**
   * Ends the answers that were not read. When their connection has closed nothing else bounds them, and a client could
   * have the server hold any number.
   *
   * @param ms for which they may still be read
   * @param onlySmall whether that holds for small ones alone, and large ones are ended at once
   */
  end (ms: number, onlySmall: boolean): void {
    for (const response of this.#unread.keys()) {
      if (onlySmall && response.writableLength >= LARGE) {
        response.destroy()
        continue
      }
      const timer = setTimeout(() => { response.destroy() }, ms)
      response.once('close', () => { clearTimeout(timer) })
    }
  }

  get queuedBytes (): number {
    let bytes = 0
    for (const { writableLength } of this.#unread.keys()) bytes += writableLength
    return bytes
  }

  /** Bytes that the kernel has taken of all answers; `null` while it has all, and the client has not polled again. */
  get takenBytes (): number | null {
    if (this.#unread.size === 0) return null
    let bytes = this.#taken
    for (const way of this.#unread.values()) bytes += takenOn(way)
    return bytes
  }
}
