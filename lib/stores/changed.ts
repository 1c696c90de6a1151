import type { ConfigChange, StoredConfig } from './store.js'

/**
 * The config that results from a change.
 *
 * @param before the stored config, if there is one
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
