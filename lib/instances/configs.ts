import { errors } from '../errors.js'
import type { Gateway } from '../gateway/index.js'
import { callHost } from '../host/host-call.js'
import type { InstanceNames } from '../limits/instance-names.js'
import type { Instances, SetResult } from './instances.js'
import type { LimitCounters } from '../limits/limits.js'
import { instanceName } from './names.js'
import type { InstanceConfig, InstanceConfigInput } from '../types.js'

interface Parts {
  readonly instances: Instances
  readonly names: Pick<InstanceNames, 'use'>
  readonly limited: Pick<LimitCounters, 'countIn'>
  /** The gateway; `null` in disabled mode. */
  readonly gateway: Pick<Gateway, 'isHosts'> | null
  /** The option `instanceExists`; `null` if it is not set. */
  readonly instanceExists: ((name: string) => boolean | Promise<boolean>) | null
}

/** Sets, finds and removes the configs of instances, for `fastify.wsEvents` and the routes. */
export class Configs {
  readonly #parts: Parts

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /**
   * Sets a config for the application.
   *
   * @throws INVALID_NAME, INVALID_DATA, UNKNOWN_EVENT, HOST_NAMESPACE, LIMIT_REACHED, STORE_UNAVAILABLE
   */
  async set (name: string, config: InstanceConfigInput): Promise<SetResult> {
    const { instances, names, limited, gateway } = this.#parts
    const known = instanceName(name)
    if (gateway?.isHosts(known) === true) throw new errors.HOST_NAMESPACE(name)
    try {
      names.use(known)
    } catch (err) {
      limited.countIn(err)
      throw err
    }
    return await instances.set(name, config)
  }

  /**
   * Sets a config for a caller of the routes, if the application has the instance.
   *
   * @throws INSTANCE_UNKNOWN and the errors of `set`
   */
  async setExisting (name: string, config: InstanceConfigInput): Promise<SetResult> {
    const { instanceExists } = this.#parts
    const isThere = instanceExists === null ||
      await callHost('instanceExists', () => instanceExists(name.normalize('NFC')))
    if (!isThere) throw new errors.INSTANCE_UNKNOWN(name)
    return await this.set(name, config)
  }

  /** @throws INVALID_NAME, STORE_UNAVAILABLE */
  async find (name: string): Promise<InstanceConfig | null> {
    return await this.#parts.instances.find(name)
  }

  /** @throws INVALID_NAME, STORE_UNAVAILABLE */
  async remove (name: string): Promise<boolean> {
    return await this.#parts.instances.remove(name)
  }
}
