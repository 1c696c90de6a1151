/** Characters that a key of `components` must not have, by the AsyncAPI specification. */
const NOT_ALLOWED = /[^\w.-]/g

/** Makes unique, valid keys from names that may not be valid as keys. */
export class Keys {
  readonly #taken = new Set<string>()

  /** @returns the name, or the most similar key that is valid and not used yet */
  take (name: string): string {
    const wanted = name.replace(NOT_ALLOWED, '_')
    let key = wanted
    for (let more = 2; this.#taken.has(key); more++) key = `${wanted}_${more}`
    this.#taken.add(key)
    return key
  }
}
