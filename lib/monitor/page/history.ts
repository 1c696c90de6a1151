import type { Message } from '../../types.js'

/** Messages that are kept for filters and search. */
const MOST = 5000

/** Which of the kept messages are shown. Empty: all. */
export interface View {
  readonly instance: string
  readonly event: string
  readonly search: string
}

/** A message, and what is looked for in it. */
class Kept {
  readonly message: Message
  #text: string | undefined

  constructor (message: Message) {
    this.message = message
  }

  /** Its data as text, made when it is first looked at. */
  get text (): string {
    this.#text ??= JSON.stringify(this.message.data)
    return this.#text
  }

  isIn ({ instance, event, search }: View): boolean {
    const { message } = this
    return (instance === '' || message.instance === instance) && (event === '' || message.event === event) &&
      (search === '' || this.text.toLowerCase().includes(search))
  }
}

export type { Kept }

/** The newest messages, the oldest first. */
export class History {
  #kept: Kept[] = []
  /** Of all that have come. */
  count = 0

  get size (): number {
    return this.#kept.length
  }

  add (message: Message): void {
    this.count++
    this.#kept.push(new Kept(message))
    // Not one by one: to take the first out of a long list costs as much as to copy it.
    if (this.#kept.length >= MOST * 2) this.#kept = this.#kept.slice(-MOST)
  }

  /** The newest that are in a view, the newest first. */
  newest (view: View, most: number): Kept[] {
    const found: Kept[] = []
    for (let at = this.#kept.length - 1; at >= 0 && found.length < most; at--) {
      const kept = this.#kept[at]
      if (kept?.isIn(view) === true) found.push(kept)
    }
    return found
  }

  clear (): void {
    this.#kept = []
    this.count = 0
  }
}
