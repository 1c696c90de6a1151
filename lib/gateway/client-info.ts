import type { Catalogue } from '../events/catalogue.js'
import type { ClientInfo } from '../types.js'
import { eventNames } from './filter.js'
import type { Subscriber } from './subscriber.js'

/** A client as `clients()` lists it. */
export function clientInfo ({ instance, link, since, listens, filter }: Subscriber, catalogue: Catalogue): ClientInfo {
  return {
    instance,
    address: link.address,
    since,
    events: listens ? eventNames(catalogue, filter) : [],
    ...(instance === null && { instances: filter.instances === null ? null : [...filter.instances] }),
    queuedBytes: link.queuedBytes
  }
}
