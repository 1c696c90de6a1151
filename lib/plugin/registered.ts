import type { FastifyInstance } from 'fastify'
import type { Catalogue } from '../events/catalogue.js'
import type { IntakeCounters } from '../intake/counters.js'
import type { EventLog } from '../log/event-log.js'
import type { Settings } from '../options.js'
import type { Guard } from '../routes/caller.js'

/** What other plugins of this package need of the one that was registered. */
export interface Registered {
  readonly settings: Settings
  readonly guard: Guard
  readonly catalogue: Catalogue
  readonly log: EventLog
  readonly counters: IntakeCounters
  /** Path of the Socket.IO server; `null` in disabled mode. */
  readonly path: string | null
}

// Map(HTTP server, which all contexts of an application share -> what was registered on it)
const registered = new WeakMap<object, Registered>()

export function remember ({ server }: FastifyInstance, parts: Registered): void {
  registered.set(server, parts)
}

/** What was registered on a server; `undefined`: nothing yet. */
export const registeredOn = ({ server }: FastifyInstance): Registered | undefined => registered.get(server)
