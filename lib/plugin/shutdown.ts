/** What is to be stopped before Fastify waits for its connections to end. */
export class Shutdown {
  #steps: Array<() => Promise<void>> = []
  #running: Promise<void> | null = null

  /** Adds a step, to be run before those that were added earlier. */
  add (step: () => Promise<void>): void {
    this.#steps.unshift(step)
  }

  /** Runs every step, the last that was added first. Once: later calls wait for the same run. */
  async run (): Promise<void> {
    await (this.#running ??= this.#run())
  }

  async #run (): Promise<void> {
    for (const step of this.#steps) await step()
  }
}
