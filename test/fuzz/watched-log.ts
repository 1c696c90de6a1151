import { Writable } from 'node:stream'
import { CODE_PREFIX } from '../../lib/errors.js'

const ERROR = 50
/** Of what is found, so much is kept. */
const MOST = 20
const MOST_CHARACTERS = 600

interface Line {
  readonly level: number
  readonly msg: string
  readonly err?: { readonly type?: string, readonly code?: string, readonly stack?: string }
}

/** What the plugin says when the host's own code fails, whatever that throws. */
const HOSTS = /^(the option verify failed|a handler (has )?failed|a listener of the application)/

/** A marker in base64, wherever it stands in what was encoded: without the ends, which depend on what is beside it. */
function encoded (marker: string): string[] {
  return [0, 1, 2].map(before => Buffer.from('x'.repeat(before) + marker).toString('base64').slice(before === 0 ? 0 : 4, -4))
}

/** The log of the attacked server: looks for keys, and for errors that nobody meant. */
export class WatchedLog {
  lines = 0
  /** Lines with a key in them. */
  readonly leaks: string[] = []
  leaked = 0
  /** Errors that are neither coded nor the host's. */
  readonly errors: string[] = []
  // Map(message of an error -> how often)
  readonly tally = new Map<string, number>()
  readonly stream: Writable
  readonly #needles: readonly string[]

  constructor (marker: string) {
    this.#needles = [marker, ...encoded(marker)]
    this.stream = new Writable({
      decodeStrings: false,
      write: (chunk: string, encoding, done) => {
        for (const line of String(chunk).split('\n')) if (line !== '') this.#read(line)
        done()
      }
    })
  }

  #read (line: string): void {
    this.lines++
    const needle = this.#needles.find(text => line.includes(text))
    if (needle !== undefined) {
      this.leaked++
      const at = Math.max(0, line.indexOf(needle) - MOST_CHARACTERS / 2)
      if (this.leaks.length < MOST) this.leaks.push(line.slice(at, at + MOST_CHARACTERS))
    }
    const { level, msg, err } = JSON.parse(line) as Line
    if (level < ERROR) return
    this.tally.set(msg, (this.tally.get(msg) ?? 0) + 1)
    const isMeant = err?.code?.startsWith(CODE_PREFIX) === true || err?.code?.startsWith('FST_ERR_') === true || HOSTS.test(msg)
    if (!isMeant && this.errors.length < MOST) this.errors.push(line.slice(0, 4 * MOST_CHARACTERS))
  }
}
