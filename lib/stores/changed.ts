import type { ConfigChange, StoredConfig } from './store.js'

/**
 * What a change stores.
 *
 * @param before the config that is stored, if there is one
 */
export function changedConfig (
  { enabled, events, keepEvents = false, since }: ConfigChange,
  before: StoredConfig | null | undefined
): StoredConfig {
  return {
    enabled,
    events: keepEvents && before !== null && before !== undefined ? before.events : events,
    ...(since !== undefined && { since })
  }
}
