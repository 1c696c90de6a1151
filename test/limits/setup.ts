import { Manager, type Socket } from 'socket.io-client'
import type { Test } from 'tap'
import type { Limits, WsEventsOptions } from '../../lib/index.js'
import { Inbox, type Transport } from '../helpers/client.js'
import type { TestServer } from '../helpers/server.js'

export const enabled: WsEventsOptions = { defaultConfig: { enabled: true } }

/** No limit of any kind. */
export const UNLIMITED: Limits = { connections: 0, connectionsPerInstance: 0, connectionsPerAddress: 0, refusalsPerMinute: 0, namespacesPerConnection: 0, idleMs: 0, queuedBytes: 0, queuedBytesMax: 0, queuedBytesTotal: 0, messageBytes: 0, instances: 0, inboundBytes: 0, inboundPerSecond: 0, publishPerSecond: 0, pendingEvents: 0, pendingBytes: 0 }

/** The limits that were reached, each with how often. */
export function reached ({ fastify }: Pick<TestServer, 'fastify'>): Partial<Limits> {
  return Object.fromEntries(Object.entries(fastify.wsEvents.stats().limits).filter(([, count]) => count > 0))
}

/** For a limit in ms: a client comes in within it on a machine that is ten times as slow. */
export const IDLE = 4000

/** How many connections were ended for `idleMs`. */
export const idled = (server: Pick<TestServer, 'fastify'>): number => reached(server).idleMs ?? 0

/** A stock client's connection, for several namespaces; closed when the test ends. */
export function oneConnection (t: Test, url: string, transport: Transport, options: ConstructorParameters<typeof Manager>[1] = {}): Manager {
  const manager = new Manager(url, { transports: [transport], reconnectionDelay: 20, reconnectionDelayMax: 100, ...options })
  t.teardown(() => { manager._close() })
  return manager
}

/** Resolves when a connection has ended. */
export async function closed (manager: Manager): Promise<void> {
  await new Promise<void>(resolve => { manager.once('close', () => { resolve() }) })
}

/** Resolves when a client is in again that has lost its connection. */
export async function cameBack (socket: Socket): Promise<void> {
  await new Promise<void>(resolve => { socket.once('connect', resolve) })
}

/** Shows that clients get what is emitted now. */
export async function hear (t: Test, { fastify }: Pick<TestServer, 'fastify'>, instance: string, inboxes: readonly Inbox[]): Promise<void> {
  const mark = `heard by ${inboxes.length}, ${Math.random()}`
  const { routes } = await fastify.wsEvents.emit(instance, 'call', mark)
  for (const inbox of inboxes) await inbox.got(({ data }) => data === mark)
  t.ok(routes.includes(`/${instance}`))
}
