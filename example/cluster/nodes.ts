import { type ChildProcess, fork, type Serializable } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { RecordedEvent } from '../session.js'
import type { EmitAnswer, EmitRequest } from './node.js'
import { endWithUs, hasEnded, stop } from './programs.js'

export interface NodeSettings {
  readonly port: number
  /** `redis://…` */
  readonly store: string
  readonly apiKey: string
}

/** A node that is killed now and then, and started again at the same port. */
export class ExampleNode {
  readonly #settings: NodeSettings
  // Map(number of the event -> told whether it was emitted)
  readonly #waiting = new Map<number, (isEmitted: boolean) => void>()
  #process: ChildProcess | undefined
  #isReady = false

  constructor (settings: NodeSettings) {
    this.#settings = settings
  }

  get isReady (): boolean {
    return this.#isReady
  }

  /** Resolves when it serves. */
  async start (): Promise<void> {
    const { port, store, apiKey } = this.#settings
    const env = { PATH: process.env.PATH, PORT: String(port), WEBSOCKET_STORE: store, AUTHENTICATION_API_KEY: apiKey }
    const child = fork(fileURLToPath(new URL('node.ts', import.meta.url)), { env, detached: true })
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
    child.on('message', ({ number, isEmitted }: EmitAnswer) => {
      this.#waiting.get(number)?.(isEmitted)
      this.#waiting.delete(number)
    })
    // From here on its end is no surprise.
    ended.catch(() => {})
  }

  /** @returns whether it has said that the event is emitted; `false` if it has failed or was killed before it could say */
  async emit (number: number, event: RecordedEvent): Promise<boolean> {
    return await new Promise(resolve => {
      this.#waiting.set(number, resolve)
      // If it was killed a moment ago, its end answers.
      this.#process?.send({ number, ...event } satisfies EmitRequest as Serializable, () => {})
    })
  }

  /** As a machine does that fails: without a word. */
  async kill (): Promise<void> {
    if (this.#process === undefined || hasEnded(this.#process)) return
    this.#isReady = false
    const ended = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await ended
  }

  /** As an operator does: it sends what it has accepted, and lets its clients go. */
  async stop (): Promise<void> {
    if (this.#process !== undefined) await stop(this.#process)
  }
}
