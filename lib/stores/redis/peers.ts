import type { Peers } from '../store.js'
import type { Following } from './following.js'
import type { StreamKeys } from './keys.js'
import type { Outbox } from './outbox.js'

/** What nodes tell each other: a stream like others, so that who was cut off for a while hears it when it is back. */
export class RedisPeers implements Peers {
  readonly #outbox: Outbox
  readonly #stream: StreamKeys
  /** Resolves when every text is heard. */
  readonly ready: Promise<void> | undefined
  #heard: (message: string) => void = () => {}

  constructor (outbox: Outbox, following: Following, stream: StreamKeys) {
    this.#outbox = outbox
    this.#stream = stream
    this.ready = following.follow(stream, ({ rest }) => { this.#heard(rest.toString()) }).ready
  }

  async tell (message: string): Promise<void> {
    await this.#outbox.push([this.#stream], { instance: '', event: '', rest: Buffer.from(message), attachments: [] })
  }

  listen (listener: (message: string) => void): void {
    this.#heard = listener
  }
}
