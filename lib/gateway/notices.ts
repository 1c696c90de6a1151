import type { Instances } from '../instances/instances.js'
import type { Mode, Position, Ready, Stats } from '../types.js'
import type { LiveSession } from './session.js'
import type { Telemetry } from './telemetry.js'

interface Parts {
  readonly mode: Mode
  readonly instances: Instances
  readonly telemetry: Telemetry
}

/** Sends notices of the plugin to clients: `ws.ready` when they resume or after a gap, and `ws.position`. */
export class Notices {
  readonly #resumed = { recovered: 0, gap: 0, fresh: 0 }
  readonly #parts: Parts

  constructor (parts: Parts) {
    this.#parts = parts
  }

  get resumed (): Stats['delivery']['resumed'] {
    return { ...this.#resumed }
  }

  /**
   * Sends `ws.ready`, except to stock clients, which see from their pid whether they have recovered.
   *
   * @param recovered whether history reaches back to the id that the client gave; `null`: the client gave an empty id
   * @param lastEventId the id after which the client's next events come
   */
  ready (session: LiveSession, recovered: boolean | null, lastEventId: string): void {
    this.#resumed[recovered === null ? 'fresh' : recovered ? 'recovered' : 'gap']++
    if (session.byPid) return
    const { mode, instances } = this.#parts
    const { instance } = session
    const enabled = instance === null || instances.status(instance) !== 'instance-disabled'
    const content: Ready = { instance, mode, enabled, recovered, lastEventId }
    this.#guarded(session, () => { session.notify('ws.ready', content) })
  }

  /** Sends `ws.position`: the client has received every event up to this id that passes its filter. */
  position (session: LiveSession, lastEventId: string): void {
    const content: Position = { lastEventId }
    this.#guarded(session, () => { session.notify('ws.position', content) })
  }

  /** Calls `notify`. A listener of the application may be called by it, and throw. */
  #guarded ({ instance, connection }: LiveSession, notify: () => void): void {
    try {
      notify()
    } catch (err) {
      this.#parts.telemetry.listenerFailed(err, instance, connection.address)
    }
  }
}
