/** Steps that stop parts of the plugin before Fastify waits for its connections to end. */
export class Shutdown {
  #steps: Array<() => Promise<void>> = []
  #running: Promise<void> | null = null

  /** Adds a step. Steps run in the reverse order of being added. */
  add (step: () => Promise<void>): void {
    this.#steps.unshift(step)
  }

  /** Runs every step, the last added first. Later calls wait for the same run. */
  async run (): Promise<void> {
    await (this.#running ??= this.#run())
  }

  async #run (): Promise<void> {
    for (const step of this.#steps) await step()
  }
}
