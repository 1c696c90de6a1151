import { randomInt } from 'node:crypto'

// Widths in base-36 digits: milliseconds until the year 5188, 1.6 million ids a millisecond, 2 billion epochs.
const TIME = 9
const SEQUENCE = 4
const EPOCH = 6
const WIDTH = TIME + SEQUENCE + EPOCH

const digits = (value: number, width: number): string => value.toString(36).padStart(width, '0')
const FORMAT = new RegExp(`^[0-9a-z]{${WIDTH}}$`)

/** The epoch of a log that begins now. */
export const newEpoch = (): string => digits(randomInt(36 ** EPOCH), EPOCH)

/** When an id was made, in ms since 1970; where the clock was set back, somewhat later than that. */
export const timeOf = (id: string): number => parseInt(id.slice(0, TIME), 36)

/** The least id that can have been made at a time, in ms since 1970: to compare with. */
export const leastIdAt = (time: number): string => digits(Math.max(0, Math.floor(time)), TIME)

/** An id without its epoch: to compare the ids of different epochs. */
export const withoutEpoch = (id: string): string => id.slice(0, TIME + SEQUENCE)

/** The epoch that an id carries. */
export const epochOf = (id: string): string => id.slice(TIME + SEQUENCE)

/** An id of its parts: the time in ms since 1970, a number within that ms, and the epoch. */
export const idFrom = (time: number, sequence: number, epoch: string): string =>
  digits(time, TIME) + digits(sequence, SEQUENCE) + epoch

/** The number of an id within its ms. */
export const sequenceOf = (id: string): number => parseInt(id.slice(TIME, TIME + SEQUENCE), 36)

/** Whether a text has the form of an id, of whichever log. */
export const isId = (text: string): boolean => FORMAT.test(text)

/** Options of {@link Ids}. */
export interface IdsOptions {
  /** Six base-36 digits; left out: a new one. */
  readonly epoch?: string
  /** The newest id that this log ever gave; what follows is greater. */
  readonly after?: string
  /** The clock, in ms since 1970. */
  readonly now?: () => number
}

/**
 * Makes the ids of one log: opaque to clients, all of one width, and as strings in the order that they were made in,
 * also when the clock is set back. An id is `time sequence epoch`, where the epoch tells logs that do not know each
 * other's events apart.
 */
export class Ids {
  /** What ends each id: six base-36 digits. */
  readonly epoch: string
  readonly #now: () => number
  #time = -1
  #sequence = 0
  #timeDigits = ''
  #last: string

  /** @param options the epoch, the newest id so far, and the clock */
  constructor ({ epoch = newEpoch(), after, now = Date.now }: IdsOptions = {}) {
    this.epoch = epoch
    this.#now = now
    if (after !== undefined) {
      this.#start(timeOf(after))
      this.#sequence = sequenceOf(after)
    }
    this.#last = after ?? this.next()
  }

  /** The newest id. The first one is nobody's: it stands for the beginning. */
  get last (): string {
    return this.#last
  }

  /** Makes an id, greater than all before. */
  next (): string {
    const now = this.#now()
    if (now > this.#time) this.#start(now)
    else if (++this.#sequence === 36 ** SEQUENCE) this.#start(this.#time + 1)
    this.#last = this.#timeDigits + digits(this.#sequence, SEQUENCE) + this.epoch
    return this.#last
  }

  /** Whether a text is an id that was made here, or may have been. */
  isOurs (text: string): boolean {
    return FORMAT.test(text) && text.endsWith(this.epoch) && text <= this.#last
  }

  #start (time: number): void {
    this.#time = time
    this.#sequence = 0
    this.#timeDigits = digits(time, TIME)
  }
}
