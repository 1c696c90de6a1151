import { createHash, randomBytes } from 'node:crypto'

const hashOf = (key: string): string => createHash('sha256').update(key).digest('base64url')

/** The tenants and their keys. A real application has them in its database; what is kept of a key is its hash. */
export class Tenants {
  // Map(hash of a key -> name of its tenant)
  readonly #names = new Map<string, string>()

  /** @returns the key of the new tenant, which is shown once; `undefined`: the name is taken */
  add (name: string): string | undefined {
    if (this.has(name)) return undefined
    const key = randomBytes(24).toString('base64url')
    this.#names.set(hashOf(key), name)
    return key
  }

  has (name: string): boolean {
    return [...this.#names.values()].includes(name)
  }

  /** Whose key it is; `undefined`: nobody's. */
  find (key: string): string | undefined {
    return this.#names.get(hashOf(key))
  }

  /** Takes a key back. @returns whose it was */
  revoke (key: string): string | undefined {
    const name = this.find(key)
    this.#names.delete(hashOf(key))
    return name
  }
}
