import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { takenBytes } from '../kernel.js'

/** The socket to which an answer is written. */
interface AnswerSocket {
  /** `null` while the answer is queued behind another one. */
  readonly socket: Socket | null
  /** Bytes that the kernel had accepted before the answer. */
  readonly before: number
}

/** Size in bytes from which texts are converted to bytes before writing. */
const LARGE = 64 * 1024

/**
 * Converts a large text to bytes. Node keeps a text in addition to its bytes until the kernel has accepted all of them,
 * so a large answer would be in memory twice.
 */
function writeAsBytes (response: ServerResponse): void {
  const { end } = response
  response.end = function (this: ServerResponse, ...[chunk, ...rest]: unknown[]) {
    const content = typeof chunk === 'string' && chunk.length >= LARGE ? Buffer.from(chunk) : chunk
    return Reflect.apply(end, this, [content, ...rest]) as ServerResponse
  }
}

const takenOn = ({ socket, before }: AnswerSocket): number => socket === null ? 0 : takenBytes(socket) - before

/** The answers to a connection's polls that the client has not read completely yet. */
export class Polls {
  readonly #unread = new Map<ServerResponse, AnswerSocket>()
  /** Bytes of completed answers that the kernel has accepted. */
  #taken = 0

  /** Adds an answer before it is written. */
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
   * Ends the answers that were not read. After the connection has closed no other limit applies to them, and a client
   * could make the server keep any number of answers.
   *
   * @param ms how long they may still be read
   * @param onlySmall whether only small answers get that time, and large ones are ended at once
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

  /**
   * Bytes of all answers that the kernel has accepted; `null` if it has all of them and the client has not polled
   * again.
   */
  get takenBytes (): number | null {
    if (this.#unread.size === 0) return null
    let bytes = this.#taken
    for (const way of this.#unread.values()) bytes += takenOn(way)
    return bytes
  }
}
