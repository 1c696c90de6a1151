/** Names of version 0.1 and their replacements, as listed in CHANGELOG.md. */
export const RENAMED = {
  options: { apiKey: 'apikey' },
  errors: {
    OPTION: 'INVALID_OPTION',
    LIMIT: 'LIMIT_REACHED',
    ORIGIN: 'ORIGIN_NOT_ALLOWED',
    HANDLER: 'HANDLER_FAILED',
    TIMEOUT: 'HANDLER_TIMEOUT'
  },
  stats: {
    emitted: 'emit.accepted',
    rejected: 'emit.rejected',
    skipped: 'emit.skipped',
    storeFailures: 'store.failures',
    delivered: 'delivery.delivered',
    replayed: 'delivery.replayed',
    resumed: 'delivery.resumed',
    slow: 'delivery.slowConsumers',
    admitted: 'clients.admitted',
    refused: 'clients.refused',
    handled: 'clients.received.handled',
    dropped: 'clients.received.dropped',
    rootClients: 'clients.atRoot',
    instanceClients: 'clients.inInstances',
    connections: 'clients.connections',
    namespaces: 'clients.namespaces',
    limited: 'limits'
  }
} as const

/**
 * Adds getters for an object's former names that throw an error with the new name. TypeScript rejects a former name; in
 * JavaScript it would silently be `undefined`, so a counter would never grow or an `instanceof` would fail. The getters
 * are not enumerable, so that copying, comparing or serializing the object does not call them.
 *
 * @param what name of the object, for the message
 */
export function withFormerNames<Target extends object> (
  what: string,
  target: Target,
  names: Readonly<Record<string, string>>
): Target {
  for (const [former, name] of Object.entries(names)) {
    Object.defineProperty(target, former, {
      get: () => { throw new TypeError(`${what}.${former} is called ${what}.${name} now`) }
    })
  }
  return target
}
