import { join } from 'node:path'
import type { WsEventsOptions } from '../../lib/index.js'

/** A server that is attacked. */
export interface TargetPlan {
  readonly name: string
  readonly store: string
  readonly options: WsEventsOptions
}

interface Places {
  /** Where LMDB may write. */
  readonly directory: string
  /** The address of a Redis; `undefined`: there is none. */
  readonly redis: string | undefined
}

/** As hosts set it up: alone, behind a proxy with pages from elsewhere, for clients that exist. */
const SETUPS: Readonly<Record<string, WsEventsOptions>> = {
  traditional: { trustProxy: 'loopback', cors: ['https://listed.example'] },
  global: { globalEvents: true, evolution: true, trustProxy: true },
  evolution: { evolution: true, cors: '*', fastPath: false }
}

/** Each store in each setup. */
export function targets ({ directory, redis }: Places): TargetPlan[] {
  const stores: Array<[string, (name: string) => string]> = [
    ['memory', () => 'memory:'],
    ['lmdb', name => `lmdb:${join(directory, name)}`]
  ]
  if (redis !== undefined) stores.push(['redis', name => `${redis}?prefix=fuzz-${name}`])
  return stores.flatMap(([store, address]) => Object.entries(SETUPS).map(([setup, options]) => ({ name: `${store}-${setup}`, store, options: { ...options, store: address(setup) } })))
}

/** The seed of a target: each sees other inputs, and the same ones when it is attacked alone. */
export function seedOf (seed: number, name: string): number {
  return [...name].reduce((mixed, character) => Math.imul(mixed ^ character.charCodeAt(0), 0x01000193), seed | 0) >>> 0
}
