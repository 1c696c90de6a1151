/** Maximum number of names, for some MB of memory. With `defaultConfig` there may be any number of instances. */
const MAX_CLAIMS = 100_000

/** Instances that have had a client. From then on their namespaces belong to the plugin, even without clients. */
export class Claims {
  // Names, the most recent last
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
