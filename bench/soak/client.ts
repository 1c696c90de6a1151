import type { Profile } from './plan.js'
import type { Reader } from './reader.js'

/** What happened to clients that is meant to happen. */
export const happenings = ['came', 'cut', 'left', 'paused', 'ended', 'filters', 'removed', 'refused'] as const
export type Happening = typeof happenings[number]

/** A client of a soak. */
export interface SoakClient {
  readonly profile: Profile
  readonly reader: Reader
  /** Whether it is in its namespace, reads, and has its filter. */
  readonly isIn: boolean
  /** Connects. */
  begin (): void
  /** Does something that clients do: goes and comes back, changes its filter, stops reading. */
  act (): void
  /** From now on it only comes back, and stays. */
  settle (): void
  leave (): void
}

export interface ClientSetup {
  readonly port: number
  readonly profile: Profile
  readonly happened: (what: Happening) => void
  /** Told of what should not be. */
  readonly surprise: (text: string) => void
}
