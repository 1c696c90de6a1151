import { join } from 'node:path'
import type { WsEventsOptions } from '../../lib/index.js'
import type { LimitName } from '../../lib/limits/limits.js'
import { PLACES, PUBLISHED } from './limit-attack.js'

/** A server that is attacked. */
export interface TargetPlan {
  readonly name: string
  readonly store: string
  readonly options: WsEventsOptions
  /** The limits that are reached there on purpose; none: those of the default, which nobody reaches. */
  readonly limits: readonly LimitName[]
}

interface Setup {
  readonly options: WsEventsOptions
  readonly limits?: readonly LimitName[]
  /** The stores that it is tried with; left out: each. */
  readonly stores?: readonly string[]
}

interface Places {
  /** Where LMDB may write. */
  readonly directory: string
  /** The address of a Redis; `undefined`: there is none. */
  readonly redis: string | undefined
}

const MIB = 1024 * 1024
/** So that each client may say that it comes from another address. The healthy clients have one of their own. */
const LIMITED: WsEventsOptions = { evolution: true, trustProxy: true }

/**
 * As hosts set it up: alone, behind a proxy with pages from elsewhere, for clients that exist. And with tight limits of
 * each kind: for places, for what waits for one client, and for what waits for all.
 */
const SETUPS: Readonly<Record<string, Setup>> = {
  traditional: { options: { trustProxy: 'loopback', cors: ['https://listed.example'] } },
  global: { options: { globalEvents: true, evolution: true, trustProxy: true } },
  evolution: { options: { evolution: true, cors: '*', fastPath: false } },
  places: {
    options: { ...LIMITED, globalEvents: true, defaultConfig: { enabled: true }, limits: { ...PLACES, inboundPerSecond: 40, idleMs: 400 } },
    limits: ['connections', 'connectionsPerAddress', 'connectionsPerInstance', 'refusalsPerMinute', 'namespacesPerConnection', 'idleMs', 'instances', 'inboundBytes', 'inboundPerSecond'],
    stores: ['memory', 'redis']
  },
  bytes: {
    options: { ...LIMITED, limits: { idleMs: 4000, namespacesPerConnection: 600, queuedBytes: MIB / 16, queuedBytesMax: 2 * MIB, messageBytes: 2 * MIB, publishPerSecond: PUBLISHED } },
    limits: ['queuedBytes', 'queuedBytesMax', 'messageBytes', 'inboundPerSecond', 'publishPerSecond'],
    stores: ['memory']
  },
  total: {
    options: { ...LIMITED, limits: { namespacesPerConnection: 600, queuedBytes: MIB, queuedBytesMax: 8 * MIB, queuedBytesTotal: 2 * MIB, messageBytes: 2 * MIB } },
    limits: ['queuedBytesTotal'],
    stores: ['memory']
  }
}

/** Each store in each setup. */
export function targets ({ directory, redis }: Places): TargetPlan[] {
  const stores: Array<[string, (name: string) => string]> = [
    ['memory', () => 'memory:'],
    ['lmdb', name => `lmdb:${join(directory, name)}`]
  ]
  if (redis !== undefined) stores.push(['redis', name => `${redis}?prefix=fuzz-${name}`])
  return stores.flatMap(([store, address]) => Object.entries(SETUPS)
    .filter(([, { stores }]) => stores?.includes(store) !== false)
    .map(([setup, { options, limits = [] }]) => ({ name: `${store}-${setup}`, store, options: { ...options, store: address(setup) }, limits })))
    // Those that take longest begin.
    .sort((one, other) => Math.sign(other.limits.length) - Math.sign(one.limits.length))
}

/** The seed of a target: each sees other inputs, and the same ones when it is attacked alone. */
export function seedOf (seed: number, name: string): number {
  return [...name].reduce((mixed, character) => Math.imul(mixed ^ character.charCodeAt(0), 0x01000193), seed | 0) >>> 0
}
