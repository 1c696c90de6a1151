import type { Dismissal } from '../instances/nodes.js'
import type { StreamName } from '../log/event-log.js'
import type { Session } from './session.js'

/** The sessions of this node in every state, so that none is missed because it is still being checked. */
export class Registry {
  // Map(instance, or null for the root -> its sessions)
  readonly #byInstance = new Map<StreamName, Set<Session>>()

  add (session: Session): void {
    const sessions = this.#byInstance.get(session.instance)
    if (sessions === undefined) this.#byInstance.set(session.instance, new Set([session]))
    else sessions.add(session)
  }

  delete (session: Session): void {
    const sessions = this.#byInstance.get(session.instance)
    if (sessions?.delete(session) === true && sessions.size === 0) this.#byInstance.delete(session.instance)
  }

  /** Those of an instance, or of the root: a list of its own, so that they can be closed meanwhile. */
  of (instance: StreamName): Session[] {
    return [...this.#byInstance.get(instance) ?? []]
  }

  * all (): Generator<Session> {
    for (const sessions of this.#byInstance.values()) yield * sessions
  }

  /** Those of an instance, or that came with a key, or both. */
  matching ({ instance, keyHash }: Dismissal): Session[] {
    const sessions = instance === undefined ? [...this.all()] : this.of(instance)
    return keyHash === undefined ? sessions : sessions.filter(session => session.keyHash === keyHash)
  }
}
