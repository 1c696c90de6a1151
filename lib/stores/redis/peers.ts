import type { Peers } from '../store.js'
import type { StreamSubscriptions } from './stream-subscriptions.js'
import type { StreamKeys } from './keys.js'
import type { Producer } from './producer.js'

/** What nodes tell each other: a stream like others, so that who was cut off for a while hears it when it is back. */
export class RedisPeers implements Peers {
  readonly #producer: Producer
  readonly #stream: StreamKeys
  /** Resolves when every text is heard. */
  readonly ready: Promise<void> | undefined
  #heard: (message: string) => void = () => {}

  constructor (producer: Producer, subscriptions: StreamSubscriptions, stream: StreamKeys) {
    this.#producer = producer
    this.#stream = stream
    this.ready = subscriptions.subscribe(stream, ({ rest }) => { this.#heard(rest.toString()) }).ready
  }

  async tell (message: string): Promise<void> {
    await this.#producer.push([this.#stream], { instance: '', event: '', rest: Buffer.from(message), attachments: [] })
  }

  listen (listener: (message: string) => void): void {
    this.#heard = listener
  }
}
