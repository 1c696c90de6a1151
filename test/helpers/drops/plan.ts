/** Who is cut how often while what is emitted, and what comes of it. */

/** An event that was emitted. Its place in the list of all is the number that it carries. */
export interface Emitted {
  readonly instance: string
  readonly event: string
}

/** What clients are told in each event. */
export interface Numbered {
  /** Its place among all that were emitted. */
  readonly number: number
  readonly text: string
}

/**
 * How a client gets what it missed: by the ids that it keeps, as a stock client that keeps none (`stockResume`), or by
 * Socket.IO's connection state recovery.
 */
export type Way = 'ids' | 'stock' | 'recovery'

/** What a client listens to, and by what right. */
export interface Profile {
  /** `null`: the root. */
  readonly instance: string | null
  readonly apikey: string
  /** What it asks for; left out: all. */
  readonly events?: readonly string[]
  readonly instances?: readonly string[]
  /** What its key may see; left out: all. The server knows it by the key. */
  readonly granted?: readonly string[]
}

export const INSTANCES: readonly string[] = Array.from({ length: 16 }, (_, index) => `instance-${index}`)

/** The last of each instance is a `call`, which every filter lets through. */
export const LAST_EVENT = 'call'
export const EVENTS: readonly string[] = [LAST_EVENT, 'messages.upsert', 'messages.update', 'chats.set']

/** What keys may see; the others may see all. */
export const GRANTS: Readonly<Record<string, readonly string[]>> = { narrow: [LAST_EVENT, 'messages.upsert'] }

/**
 * One in twenty at the root, the others on one instance each; of both, half without a filter.
 *
 * @param filters `false`: all without
 */
export function profileOf (index: number, filters: boolean): Profile {
  const isRoot = index % 20 === 0
  const own: Profile = { instance: isRoot ? null : INSTANCES[index % INSTANCES.length] as string, apikey: 'key' }
  if (!filters) return own
  switch (Math.floor(index / 20) % 4) {
    case 0: return { ...own, events: isRoot ? [LAST_EVENT, 'chats.set'] : [LAST_EVENT, 'messages.*'] }
    case 1: return isRoot ? { ...own, instances: INSTANCES.slice(0, 3) } : { ...own, apikey: 'narrow', granted: GRANTS.narrow as string[] }
    default: return own
  }
}

const covers = (names: readonly string[] | undefined, name: string): boolean =>
  names === undefined || names.includes(name) || names.some(pattern => pattern.endsWith('.*') && name.startsWith(pattern.slice(0, -1)))

export const isEntitled = ({ instance, events, instances, granted }: Profile, emitted: Emitted): boolean =>
  (instance === null || instance === emitted.instance) && covers(events, emitted.event) && covers(granted, emitted.event) && covers(instances, emitted.instance)

/** How a connection is cut: by its client, as TCP, and by the server. */
export const CUTS = ['closed', 'reset', 'ended'] as const
export type Cut = typeof CUTS[number]

/** What clients have seen of what they should have. */
export interface Totals {
  clients: number
  cuts: number
  deliveries: number
  /** Never received, though the client was not told of a gap. */
  lost: number
  /** Never received, and the client was told that it is not recovered. */
  missed: number
  duplicated: number
  /** Of stock clients: handed over only after the next connect, because the connection broke when they had come. */
  held: number
  /** Of these: replayed as well, which a client sees by comparing ids. */
  repeated: number
  outOfOrder: number
  /** Received, and not meant for the client. */
  strange: number
  /** How often a client came back and was told that it is not recovered. */
  gaps: number
  /** Refusals, and whatever else should not be, as texts. */
  surprises: string[]
}
