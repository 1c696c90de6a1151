/** Names of 0.1 and those that replaced them, as CHANGELOG.md has them. */
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
 * Makes an object's former names throw an error that says the new one. They do not compile in TypeScript; in JavaScript
 * `undefined` would be silent: a counter that never grows, an `instanceof` that fails where an error is handled. They
 * are not enumerable, so that nothing that copies, compares or serializes the object meets them.
 *
 * @param what the object is called, for the message
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
