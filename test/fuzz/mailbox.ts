import { inTime } from './wire/tcp.js'

/** Packets of a connection, in the order that they come. */
export class Mailbox {
  readonly #packets: string[] = []
  #looked: () => void = () => {}
  #isClosed = false

  put (packet: string): void {
    this.#packets.push(packet)
    this.#looked()
  }

  close (): void {
    this.#isClosed = true
    this.#looked()
  }

  /** Takes packets out up to the first that is wanted; `null` when the connection ends before. @throws NoAnswer */
  async next (isWanted: (packet: string) => boolean, what: string): Promise<string | null> {
    return await inTime(this.#next(isWanted), what)
  }

  async #next (isWanted: (packet: string) => boolean): Promise<string | null> {
    for (;;) {
      for (let packet = this.#packets.shift(); packet !== undefined; packet = this.#packets.shift()) if (isWanted(packet)) return packet
      if (this.#isClosed) return null
      await new Promise<void>(resolve => { this.#looked = resolve })
    }
  }
}
