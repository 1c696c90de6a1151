/** What may stand as a key of `components`, by AsyncAPI's specification. */
const NOT_ALLOWED = /[^\w.-]/g

/** Gives out keys that differ from each other, of names that may not stand as keys. */
export class Keys {
  readonly #taken = new Set<string>()

  /** @returns the name, or what is most like it and free */
  take (name: string): string {
    const wanted = name.replace(NOT_ALLOWED, '_')
    let key = wanted
    for (let more = 2; this.#taken.has(key); more++) key = `${wanted}_${more}`
    this.#taken.add(key)
    return key
  }
}
