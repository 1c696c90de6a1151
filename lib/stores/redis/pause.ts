/** A pause between two tries that can be ended early. */
export class Pause {
  #end: () => void = () => {}

  /** Resolves after a time in ms, or when {@link end} is called. */
  async wait (ms: number): Promise<void> {
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, ms)
      this.#end = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Ends the pause that is under way, if there is one. */
  end (): void {
    this.#end()
  }
}
