/** Bytes that may be on their way to one client, and to all. */
const PER_CLIENT = 128 * 1024
const IN_ALL = 16 * 1024 * 1024
/** What a message has beside its data. */
const ENVELOPE = 250

export interface Load {
  readonly bytes: number
  readonly perTick: number
  /** That get each event. */
  readonly clients: number
  /** Events that may be on their way; left out: as many as their bytes allow. */
  readonly inFlight?: number
}

export interface Window {
  /** Events between two acknowledgements, a whole number of ticks. */
  readonly block: number
  /** Events that may be on their way. */
  readonly events: number
}

/** How far the server may be ahead of the clients: far enough that it never waits for nothing, and no further. */
export function windowOf ({ bytes, perTick, clients, inFlight }: Load): Window {
  const affordable = inFlight ?? Math.floor(Math.min(PER_CLIENT, IN_ALL / clients) / (bytes + ENVELOPE))
  const block = Math.max(1, Math.round(affordable / 2 / perTick)) * perTick
  return { block, events: Math.max(block, affordable) }
}
