import { randomUUID } from 'node:crypto'
import type { ConfigChange, ConfigStore, StoredConfig, StoreLogger } from '../store.js'
import { runScript } from './client.js'
import type { Keys } from './keys.js'
import type { RedisConnection } from './connection.js'
import { idAt } from './position.js'
import { type Script, scripts } from './scripts.js'

/** What was read of a config. */
interface Known {
  /** As it is kept; `null`: it is deleted. */
  readonly kept: string | null
  /** The number of the command that has read it. */
  readonly command: number
}

/** Configs that are read at once when they are listed, and put back at once. */
const PAGE = 500

/**
 * Configs in a hash, from name to `generation JSON`. Its key is also the channel where changes are told: `node s name`
 * where one was set, `node dGENERATION name` where it was deleted.
 *
 * What this node has seen of it is kept here: should Redis lose the hash, the nodes put it back.
 */
export class RedisConfigStore implements ConfigStore {
  readonly #connection: RedisConnection
  readonly #key: string
  /** Of the state of the root's stream. */
  readonly #root: string
  /** Of this process. */
  readonly #node: string
  readonly #logger: StoreLogger
  // Map(name -> what was read last)
  readonly #known = new Map<string, Known>()
  /** The number of the newest command. Redis executes them in their order, but lists are read over many of them. */
  #commands = 0
  /** Lists that are being read. */
  #listings = 0
  // Map(name -> the damaged text that was logged)
  readonly #damaged = new Map<string, string>()
  #restoring: Promise<void> | null = null
  /** What the hash is called that is known. */
  #hash = ''
  #changed: (name: string | null, removed?: string) => void = () => {}

  constructor (connection: RedisConnection, keys: Keys, node: string, logger: StoreLogger) {
    this.#connection = connection
    this.#key = keys.configs
    this.#root = keys.stream(null).state
    this.#node = node
    this.#logger = logger
  }

  /** @throws STORE_UNAVAILABLE */
  async get (name: string): Promise<StoredConfig | null> {
    let command = 0
    const [kept = null, hash] = await this.#connection.request(async client => {
      command = ++this.#commands
      return await client.hmget(this.#key, name, '')
    })
    // In another hash than before it is missing because Redis has lost it.
    if (kept !== null || hash === this.#hash) this.#remember(name, kept, command)
    return kept === null ? null : this.#parsed(name, kept)
  }

  /** @throws STORE_UNAVAILABLE */
  async set (name: string, change: ConfigChange): Promise<StoredConfig> {
    const config = await this.#set(name, change)
    // The list that was kept is what is damaged.
    const isDamaged = config.unreadable !== undefined && change.keepEvents === true
    return isDamaged ? await this.#set(name, { ...change, keepEvents: false }) : config
  }

  async #set (name: string, { enabled, events, keepEvents = false }: ConfigChange): Promise<StoredConfig> {
    const args = [this.#node, name, String(enabled), JSON.stringify(events), randomUUID(), String(keepEvents)]
    const { answer, command } = await this.#run(scripts.setConfig, [this.#key, this.#root], args)
    this.#remember(name, String(answer), command)
    return this.#parsed(name, String(answer))
  }

  /** @throws STORE_UNAVAILABLE */
  async delete (name: string): Promise<boolean> {
    const { answer, command } = await this.#run(scripts.deleteConfig, [this.#key], [this.#node, name])
    this.#remember(name, null, command)
    return answer === 1
  }

  /** @returns what a script has answered, and the number of the command */
  async #run (script: Script, keys: string[], args: string[]): Promise<{ answer: unknown, command: number }> {
    return await this.#connection.request(async client => {
      const command = ++this.#commands
      return { answer: await runScript(client, script.sha, keys, args), command }
    })
  }

  /** @param command the number of that which has read it: what a later one has read stays */
  #remember (name: string, kept: string | null, command: number): void {
    if ((this.#known.get(name)?.command ?? 0) > command) return
    // A list that is being read may have it from before.
    if (kept === null && this.#listings === 0) this.#known.delete(name)
    else this.#known.set(name, { kept, command })
  }

  /** @throws STORE_UNAVAILABLE */
  async * list (): AsyncGenerator<readonly [string, StoredConfig]> {
    await (this.#restoring ??= this.#restore().finally(() => { this.#restoring = null }))
    const began = ++this.#commands
    this.#listings++
    try {
      // Redis gives a name twice when the hash grows meanwhile.
      const listed = new Set<string>()
      for await (const [name, kept] of this.#scan()) {
        if (listed.has(name)) continue
        listed.add(name)
        yield [name, this.#parsed(name, kept)]
      }
      for (const [name, { command }] of this.#known) {
        if (command < began && !listed.has(name)) this.#known.delete(name)
      }
    } finally {
      if (--this.#listings === 0) {
        for (const [name, { kept }] of this.#known) if (kept === null) this.#known.delete(name)
      }
    }
  }

  /** The configs in the hash, as they are kept; one may come twice. */
  async * #scan (): AsyncGenerator<readonly [name: string, kept: string]> {
    let cursor = '0'
    let incarnation = ''
    do {
      let command = 0
      const [next, page] = await this.#connection.request(async client => {
        const current = `${this.#connection.incarnation?.epoch} ${this.#connection.incarnation?.name}`
        // A cursor is good for the server that has given it. Another one would leave names out.
        if (current !== incarnation) cursor = '0'
        incarnation = current
        command = ++this.#commands
        return await client.hscan(this.#key, cursor, 'COUNT', PAGE)
      })
      const names = page.filter((each, at) => at % 2 === 0)
      for (const [at, name] of names.entries()) if (name !== '') this.#remember(name, page[2 * at + 1] ?? '', command)
      for (const [at, name] of names.entries()) if (name !== '') yield [name, page[2 * at + 1] ?? '']
      cursor = next
    } while (cursor !== '0')
  }

  /** Puts back what Redis has lost, if it has. */
  async #restore (): Promise<void> {
    const known = [...this.#known].flatMap(([name, { kept }]) => kept === null ? [] : [name, kept])
    const before = this.#hash
    let restored = 0
    for (let at = 0; at === 0 || at < known.length; at += 2 * PAGE) {
      const [name, count] = await this.#connection.requestScript(
        scripts.restoreConfigs,
        [this.#key],
        [this.#node, before, randomUUID(), ...known.slice(at, at + 2 * PAGE)]
      ) as [Buffer, number]
      this.#hash = String(name)
      restored += count
      if (this.#hash === before) break
    }
    if (restored > 0) {
      this.#logger.warn(
        { configs: restored },
        'Redis had lost configs of instances: those that this node knew were put back'
      )
    }
  }

  watch (changed: (name: string | null, removed?: string) => void): void {
    this.#changed = changed
  }

  /** A change was published. */
  changeReceived (message: string): void {
    const [, node, what, generation, name] = /^(\S+) ([sd])(\S*) (.+)$/s.exec(message) ?? []
    if (name === undefined || node === this.#node) return
    if (what === 'd') this.#changed(name, generation ?? '')
    else this.#changed(name)
  }

  /** Changes may have been missed. */
  changesMissed (): void {
    this.#changed(null)
  }

  /** A config that is damaged keeps nobody from the others. */
  #parsed (name: string, kept: string): StoredConfig {
    try {
      const config = parsed(kept)
      this.#damaged.delete(name)
      return config
    } catch (err) {
      if (this.#damaged.get(name) !== kept) {
        this.#logger.error(
          { err, instance: name, key: this.#key },
          'the config of an instance is damaged in Redis, and the instance is not available: set it again, or remove it'
        )
      }
      this.#damaged.set(name, kept)
      return { enabled: false, events: [], unreadable: 'its config is damaged in Redis: set it again, or remove it' }
    }
  }
}

/** @throws Error, SyntaxError */
function parsed (kept: string): StoredConfig {
  const [, generation = '', json = ''] = /^(\S+) (.*)$/s.exec(kept) ?? []
  const { enabled, events } = JSON.parse(json) as StoredConfig
  const areNames = Array.isArray(events) && events.every(name => typeof name === 'string')
  if (typeof enabled !== 'boolean' || !(events === null || areNames)) throw new Error('it has another form')
  // A config that an earlier version has kept has none.
  const [, position] = generation.split('@')
  if (position !== undefined && !/^\d+-\d+$/.test(position)) throw new Error('its generation has another form')
  return { enabled, events, generation, ...(position !== undefined && { since: idAt(position, '') }) }
}
