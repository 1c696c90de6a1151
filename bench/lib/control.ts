import { createServer, type AddressInfo } from 'node:net'

/**
 * A line from the clients' process to the server's, so that the server is not ahead of them by more than a window.
 * A byte comes for each so many events that all clients have received.
 */
export class Control {
  #acks = 0
  #waiter: (() => void) | undefined
  #port = 0

  get port (): number {
    return this.#port
  }

  async listen (): Promise<void> {
    const server = createServer(socket => {
      socket.on('data', ({ length }) => {
        this.#acks += length
        this.#waiter?.()
      })
      socket.on('error', () => {})
    })
    await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
    this.#port = (server.address() as AddressInfo).port
  }

  reset (): void {
    this.#acks = 0
  }

  get acks (): number {
    return this.#acks
  }

  /** Resolves when so many have come; rejects when none comes for ten seconds. */
  async reached (acks: number): Promise<void> {
    while (this.#acks < acks) {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => { reject(new Error(`the clients have stopped at ${this.#acks} of ${acks} acknowledgements`)) }, 10_000)
        this.#waiter = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    this.#waiter = undefined
  }
}
