import type { DisconnectRequest } from '../instances/nodes.js'
import type { StreamName } from '../log/event-log.js'
import type { Session } from './session.js'

/** The sessions of this node in every state, including those whose key is still being checked. */
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

  /** The sessions of an instance, or of the root, as a new list: the sessions may be closed while it is iterated. */
  of (instance: StreamName): Session[] {
    return [...this.#byInstance.get(instance) ?? []]
  }

  * all (): Generator<Session> {
    for (const sessions of this.#byInstance.values()) yield * sessions
  }

  /** The sessions of an instance, of a key, or of both. */
  matching ({ instance, keyHash }: DisconnectRequest): Session[] {
    const sessions = instance === undefined ? [...this.all()] : this.of(instance)
    return keyHash === undefined ? sessions : sessions.filter(session => session.keyHash === keyHash)
  }
}
