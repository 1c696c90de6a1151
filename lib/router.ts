import type { EventType } from './events/catalogue.js'
import type { Instances } from './instances.js'
import { namespaceOf } from './names.js'
import type { Mode, SkipReason } from './types.js'

/** Where an event goes. */
export interface Route {
  /** Whether clients of the root are entitled to it. */
  readonly root: boolean
  /** Whether clients of its instance's namespace are, or why not. */
  readonly instance: 'served' | SkipReason
}

/** Decides by the mode and the instance's config which namespaces are entitled to an event. */
export class Router {
  readonly #mode: Mode
  readonly #instances: Instances
  readonly #isHosts: (name: string) => boolean

  /** @param isHosts whether the namespace of this name is the host's own */
  constructor (mode: Mode, instances: Instances, isHosts: (name: string) => boolean) {
    this.#mode = mode
    this.#instances = instances
    this.#isHosts = isHosts
  }

  route (name: string, event: EventType): Route {
    if (this.#mode === 'disabled') return { root: false, instance: 'disabled' }
    const instance = this.#isHosts(name) ? 'host-namespace' : this.#instances.standing(name, event)
    return { root: this.#mode === 'global', instance }
  }
}

/** The namespaces of a route, as `emit` reports them. */
export function namespacesOf (route: Route, name: string): string[] {
  const namespaces = route.root ? ['/'] : []
  if (route.instance === 'served') namespaces.push(namespaceOf(name))
  return namespaces
}
