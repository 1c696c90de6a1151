import type { FastifyInstance } from 'fastify'
import type { Catalogue } from '../events/catalogue.js'
import type { Gateway } from '../gateway/index.js'
import type { Activity } from '../intake/activity.js'
import type { IntakeCounters } from '../intake/counters.js'
import type { EventLog } from '../log/event-log.js'
import type { Settings } from '../options.js'
import type { Guard } from '../routes/caller.js'

/** The parts of the registered plugin that other plugins of this package use. */
export interface Registered {
  readonly settings: Settings
  readonly guard: Guard
  readonly catalogue: Catalogue
  readonly log: EventLog
  readonly counters: IntakeCounters
  readonly activity: Activity
  /** `null` in disabled mode. */
  readonly gateway: Pick<Gateway, 'queues' | 'refusals'> | null
  /** Path of the Socket.IO server; `null` in disabled mode. */
  readonly path: string | null
}

// Map(HTTP server -> the plugin registered on it). All contexts of an application share the HTTP server.
const registered = new WeakMap<object, Registered>()

export function remember ({ server }: FastifyInstance, parts: Registered): void {
  registered.set(server, parts)
}

/** The plugin registered on an HTTP server; `undefined` if there is none. */
export const registeredOn = ({ server }: FastifyInstance): Registered | undefined => registered.get(server)
