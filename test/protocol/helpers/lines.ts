/** How long what must come may take, in ms: longer is never. */
const NEVER = 30_000

/** What came from a server, a line each, in order. */
export class Lines {
  readonly #lines: string[] = []
  #waiting: (() => void) | undefined

  push (line: string): void {
    this.#lines.push(line)
    this.#waiting?.()
  }

  /** Resolves to the next line. */
  async next (): Promise<string> {
    if (this.#lines.length === 0) await this.#more()
    return this.#lines.shift() ?? ''
  }

  async #more (): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => { reject(new Error('nothing more came')) }, NEVER)
      this.#waiting = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#waiting = undefined
  }

  /** Takes all that is there. */
  rest (): string[] {
    return this.#lines.splice(0)
  }
}

/** What stands for the end of a connection. */
export const CLOSED = 'closed'

/** Bytes as a line: `[01 02 03]`. */
export const lineOf = (bytes: Buffer): string => `[${bytes.toString('hex').replace(/..(?=.)/g, '$& ')}]`

/** The bytes of such a line; `null` for a line of text. */
export function bytesOf (line: string): Buffer | null {
  return /^\[([\da-f]{2}( [\da-f]{2})*)?\]$/.test(line) ? Buffer.from(line.slice(1, -1).replaceAll(' ', ''), 'hex') : null
}
