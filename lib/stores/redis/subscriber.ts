import type { RedisClient } from './client.js'

/** Channels that are named in one command. */
const MAX_CHANNELS = 1000

export interface SubscriberListener {
  /** Told when there is a connection without subscriptions: at first, and after each time that it was lost. */
  readonly connected: () => void
  readonly lost: () => void
  readonly message: (channel: string, message: Buffer) => void
}

/** The connection on which Redis tells what is published. */
export class Subscriber {
  readonly #client: RedisClient
  #failure: unknown

  constructor (client: RedisClient) {
    this.#client = client
    client.on('error', (error: unknown) => { this.#failure = error })
  }

  /** Begins to connect. */
  open ({ connected, lost, message }: SubscriberListener): void {
    const client = this.#client
    client.on('ready', connected)
    client.on('close', lost)
    client.on('messageBuffer', (channel: Buffer, content: Buffer) => { message(channel.toString(), content) })
    this.#client.connect().catch((error: unknown) => { this.#failure = error })
  }

  get failure (): unknown {
    return this.#failure
  }

  /** Resolves when everything that is published to these channels will be told. */
  async subscribe (channels: readonly string[]): Promise<void> {
    await this.#inParts(channels, async some => await this.#client.subscribe(...some))
  }

  async unsubscribe (channels: readonly string[]): Promise<void> {
    await this.#inParts(channels, async some => await this.#client.unsubscribe(...some))
  }

  /** All of them are on their way when it returns: none is overtaken by a later call. */
  async #inParts (channels: readonly string[], call: (some: readonly string[]) => Promise<unknown>): Promise<void> {
    const calls: Array<Promise<unknown>> = []
    for (let at = 0; at < channels.length; at += MAX_CHANNELS) calls.push(call(channels.slice(at, at + MAX_CHANNELS)))
    await Promise.all(calls)
  }

  /** Makes a new connection: this one is dead. */
  reconnect (): void {
    this.#client.disconnect(true)
  }

  close (): void {
    this.#client.disconnect()
  }
}
