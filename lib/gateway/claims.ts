/** Names that are remembered: some MB. With `defaultConfig` there may be any number of instances. */
const MAX_CLAIMS = 100_000

/** Instances that had a client: their namespaces are ours from then on, with clients or without. */
export class Claims {
  // The latest last
  readonly #instances = new Set<string>()

  add (instance: string): void {
    this.#instances.delete(instance)
    this.#instances.add(instance)
    if (this.#instances.size <= MAX_CLAIMS) return
    const [oldest] = this.#instances
    if (oldest !== undefined) this.#instances.delete(oldest)
  }

  delete (instance: string): void {
    this.#instances.delete(instance)
  }

  has (instance: string): boolean {
    return this.#instances.has(instance)
  }
}
