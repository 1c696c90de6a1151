import { randomInt } from 'node:crypto'

// Widths in base-36 digits: milliseconds until the year 5188, 1.6 million ids a millisecond, 2 billion epochs.
const TIME = 9
const SEQUENCE = 4
const EPOCH = 6

const digits = (value: number, width: number): string => value.toString(36).padStart(width, '0')

/**
 * Makes the ids of one log: opaque to clients, all of one width, and as strings in the order that they were made in,
 * also when the clock is set back. An id is `time sequence epoch`, where the epoch tells logs that do not know each
 * other's events apart.
 */
export class Ids {
  readonly #epoch = digits(randomInt(36 ** EPOCH), EPOCH)
  readonly #now: () => number
  #time = -1
  #sequence = 0
  #timeDigits = ''

  /** @param now the clock, in ms since 1970 */
  constructor (now: () => number = Date.now) {
    this.#now = now
  }

  next (): string {
    const now = this.#now()
    if (now > this.#time) this.#start(now)
    else if (++this.#sequence === 36 ** SEQUENCE) this.#start(this.#time + 1)
    return this.#timeDigits + digits(this.#sequence, SEQUENCE) + this.#epoch
  }

  #start (time: number): void {
    this.#time = time
    this.#sequence = 0
    this.#timeDigits = digits(time, TIME)
  }
}
