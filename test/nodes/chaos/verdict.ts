import type { Ready } from '../../../lib/index.js'
import { LIFE } from './fleet.js'

/** What a client has received, in the order that it came in. */
export interface Received {
  /** `null`: the root. */
  readonly instance: string | null
  readonly numbers: readonly number[]
  readonly ids: readonly string[]
  readonly readies: ReadonlyArray<Pick<Ready, 'recovered' | 'lastEventId'>>
}

export interface Faults {
  /** Never received: its `emit` had resolved, or somebody else has it. */
  lost: number
  doubled: number
  /** Not in the order of the ids, or not in the order that its node has emitted it in. */
  outOfOrder: number
  /** Not meant for the client, or from before its time, or by another id than `emit` has told. */
  strange: number
  /** How often a client was told that its past is gone. */
  gaps: number
}

/** What happened: id and number of each event that was remembered for sure. */
type Truth = Map<string, number>

export const instanceOf = (number: number, instances: number): string => `instance-${number % instances}`

/** An event whose `emit` has not resolved may have happened all the same; then it has for everybody. */
export function truthOf (resolved: ReadonlyArray<readonly [number: number, id: string]>, clients: readonly Received[]): Truth {
  const truth: Truth = new Map(resolved.map(([number, id]) => [id, number]))
  for (const { ids, numbers } of clients) {
    ids.forEach((id, at) => { if (!truth.has(id)) truth.set(id, numbers[at] as number) })
  }
  return truth
}

const isFor = ({ instance }: Received, number: number, instances: number): boolean =>
  instance === null || instanceOf(number, instances) === instance

/** The events that a client has never received, of those since it was first in. */
function lostOf (client: Received, truth: Truth, instances: number): Array<[id: string, number: number]> {
  const since = client.readies[0]?.lastEventId ?? ''
  const seen = new Set(client.numbers)
  return [...truth].filter(([id, number]) => id > since && isFor(client, number, instances) && !seen.has(number))
}

/** Compares what a client has received with all that happened since it was first in. */
function judge (client: Received, truth: Truth, instances: number): Faults {
  const faults: Faults = { lost: 0, doubled: 0, outOfOrder: 0, strange: 0, gaps: 0 }
  const { numbers, ids, readies } = client
  const since = readies[0]?.lastEventId ?? ''
  const seen = new Set<number>()
  // Map(a life of a node, and one of its instances -> the newest number)
  const newest = new Map<string, number>()
  ids.forEach((id, at) => {
    const number = numbers[at] as number
    const order = `${Math.floor(number / LIFE)} ${number % instances}`
    if (!isFor(client, number, instances) || id <= since || truth.get(id) !== number) faults.strange++
    if (seen.has(number)) faults.doubled++
    else if (id <= (ids[at - 1] ?? '') || number < (newest.get(order) ?? 0)) faults.outOfOrder++
    seen.add(number)
    newest.set(order, Math.max(number, newest.get(order) ?? 0))
  })
  faults.lost = lostOf(client, truth, instances).length
  faults.gaps = readies.slice(1).filter(({ recovered }) => recovered !== true).length
  return faults
}

const SHOWN = 40

/**
 * Tells of the first events that were lost: whose they were, who else has them, and between which ids the client has none.
 *
 * @param told numbers of those whose `emit` has resolved
 */
export function describeLosses (
  clients: readonly Received[], truth: Truth, told: ReadonlySet<number>, instances: number
): string[] {
  const described = clients.flatMap((client, at) => lostOf(client, truth, instances).map(([id, number]) => {
    const { instance, ids, readies } = client
    const after = ids.findLast(other => other < id) ?? ''
    const before = ids.find(other => other > id) ?? 'the end'
    const others = clients.flatMap(({ numbers }, other) => numbers.includes(number) ? [other] : [])
    const returns = readies.flatMap(({ lastEventId }) => lastEventId >= after && lastEventId <= before ? [lastEventId] : [])
    return `client ${at} of ${instance ?? 'the root'}: no ${number} (${id}, ${told.has(number) ? 'resolved' : 'untold'}), ` +
      `which clients ${others.join(', ')} have; nothing between ${after} and ${before}; back by ${returns.join(', ')}`
  }))
  return described.slice(0, SHOWN)
}

/** The faults of all clients together. */
export function judgeAll (clients: readonly Received[], truth: Truth, instances: number): Faults {
  const all: Faults = { lost: 0, doubled: 0, outOfOrder: 0, strange: 0, gaps: 0 }
  for (const client of clients) {
    const faults = judge(client, truth, instances)
    for (const name of Object.keys(all) as Array<keyof Faults>) all[name] += faults[name]
  }
  return all
}
