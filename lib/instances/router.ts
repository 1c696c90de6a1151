import type { EventType } from '../events/catalogue.js'
import type { Gateway } from '../gateway/index.js'
import type { Instances } from './instances.js'
import type { StreamName } from '../log/event-log.js'
import { namespaceOf } from './names.js'
import type { Mode, SkipReason } from '../types.js'

/** The streams to which an event is appended. */
export interface Route {
  /** The streams of the namespaces that get the event. */
  readonly streams: readonly StreamName[]
  /** The reason why the instance's own stream is not among them; `null` if it is. */
  readonly skipped: SkipReason | null
}

/** Decides by the mode and the instance's config which namespaces get an event. */
export class Router {
  readonly #mode: Mode
  readonly #instances: Instances
  readonly #gateway: Pick<Gateway, 'isHosts'> | null

  /** @param gateway `null` in disabled mode */
  constructor (mode: Mode, instances: Instances, gateway: Pick<Gateway, 'isHosts'> | null) {
    this.#mode = mode
    this.#instances = instances
    this.#gateway = gateway
  }

  route (name: string, event: EventType): Route {
    if (this.#mode === 'disabled') return { streams: [], skipped: 'disabled' }
    const status = this.#gateway?.isHosts(name) === true ? 'host-namespace' : this.#instances.status(name, event)
    const isGlobal = this.#mode === 'global'
    if (status !== 'served') return { streams: isGlobal ? ROOT : NONE, skipped: status }
    return { streams: isGlobal ? [null, name] : [name], skipped: null }
  }
}

const ROOT: readonly StreamName[] = [null]
const NONE: readonly StreamName[] = []

/** The namespaces of a route, in the form of `EmitResult.routes`. */
export const namespacesOf = ({ streams }: Route): string[] =>
  streams.map(stream => stream === null ? '/' : namespaceOf(stream))
