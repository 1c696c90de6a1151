import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { endWithUs, hasEnded, stop } from './programs.js'

/**
 * @import { ChildProcess, Serializable } from 'node:child_process'
 * @import { RecordedEvent } from '../session.js'
 * @import { EmitAnswer, EmitRequest } from './node.js'
 */

/**
 * `store` is `redis://…`
 *
 * @typedef {{ readonly port: number, readonly store: string, readonly apikey: string }} NodeSettings
 */

/** A node that is killed now and then, and started again at the same port. */
export class ExampleNode {
  #settings
  /**
   * Map(number of the event -> told whether it was emitted)
   *
   * @type {Map<number, (isEmitted: boolean) => void>}
   */
  #waiting = new Map()
  /** @type {ChildProcess | undefined} */
  #process
  #isReady = false

  /** @param {NodeSettings} settings */
  constructor (settings) {
    this.#settings = settings
  }

  get isReady () {
    return this.#isReady
  }

  /** Resolves when it serves. */
  async start () {
    const { port, store, apikey } = this.#settings
    const env = { PATH: process.env.PATH, PORT: String(port), WEBSOCKET_STORE: store, AUTHENTICATION_API_KEY: apikey }
    const child = fork(fileURLToPath(new URL('node.js', import.meta.url)), { env, detached: true })
    this.#process = child
    endWithUs(child)
    const ended = once(child, 'exit').then(([code, signal]) => {
      this.#isReady = false
      // Nobody will ever know what became of these.
      for (const answer of this.#waiting.values()) answer(false)
      this.#waiting.clear()
      throw new Error(`a node has ended (${signal ?? code}) before it was ready`)
    })
    await Promise.race([once(child, 'message'), ended])
    this.#isReady = true
    child.on('message', answer => {
      const { number, isEmitted } = /** @type {EmitAnswer} */ (answer)
      this.#waiting.get(number)?.(isEmitted)
      this.#waiting.delete(number)
    })
    // From here on its end is no surprise.
    ended.catch(() => {})
  }

  /**
   * @param {number} number
   * @param {RecordedEvent} event
   * @returns {Promise<boolean>} whether it has said that the event is emitted; `false` if it has failed or was killed before it could say
   */
  async emit (number, event) {
    return await new Promise(resolve => {
      this.#waiting.set(number, resolve)
      // If it was killed a moment ago, its end answers.
      const request = /** @satisfies {EmitRequest} */ ({ number, ...event })
      this.#process?.send(/** @type {Serializable} */ (request), () => {})
    })
  }

  /** As a machine does that fails: without a word. */
  async kill () {
    if (this.#process === undefined || hasEnded(this.#process)) return
    this.#isReady = false
    const ended = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await ended
  }

  /** As an operator does: it sends what it has accepted, and lets its clients go. */
  async stop () {
    if (this.#process !== undefined) await stop(this.#process)
  }
}
