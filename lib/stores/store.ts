/** The config of an instance as it is stored. */
export interface StoredConfig {
  readonly enabled: boolean
  /** Constant names, `MESSAGES_UPSERT`; `null` for all, those of a later catalogue too. */
  readonly events: readonly string[] | null
}

/**
 * Where configs are kept. Names are instance names, NFC-normalized; a stored config is never changed in place.
 * Calls for one name do not overlap: the plugin waits for the one before.
 */
export interface ConfigStore {
  /** The config of a name, or `null` if it was never set or is deleted. */
  get(name: string): Promise<StoredConfig | null>
  /** Puts a config in place of the one before. What has resolved is seen by every later `get` and `list`. */
  set(name: string, config: StoredConfig): Promise<void>
  /** Forgets a config; resolves to whether there was one. */
  delete(name: string): Promise<boolean>
  /** All configs, each name once, in no particular order. One that is set or deleted meanwhile may show or not. */
  list(): AsyncIterable<readonly [name: string, config: StoredConfig]>
}
