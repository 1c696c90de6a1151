import type { FastifyInstance } from 'fastify'
import type { WsEventsOptions } from '../../lib/index.js'
import { type LogLine, recordLog } from './log.js'
import { type Scope, startServer, type TestServer } from './server.js'
import { SharedStore } from './shared-store.js'

export interface ClusterNode extends TestServer {
  readonly wsEvents: FastifyInstance['wsEvents']
  readonly lines: LogLine[]
}

/** Starts one more node on a store. */
export async function startNode (t: Scope, shared: SharedStore, options: WsEventsOptions = {}): Promise<ClusterNode> {
  const { lines, fastify } = recordLog('debug')
  const server = await startServer(t, { store: shared.node(), ...options }, { fastify })
  return { ...server, wsEvents: server.fastify.wsEvents, lines }
}

/** So many nodes. */
interface Nodes {
  1: [ClusterNode]
  2: [ClusterNode, ClusterNode]
  3: [ClusterNode, ClusterNode, ClusterNode]
}

/** A store, and the nodes that share it. */
export async function startNodes<Count extends keyof Nodes> (t: Scope, count: Count, options: WsEventsOptions = {}): Promise<{ shared: SharedStore, nodes: Nodes[Count] }> {
  const shared = new SharedStore()
  const nodes: ClusterNode[] = []
  while (nodes.length < count) nodes.push(await startNode(t, shared, options))
  return { shared, nodes: nodes as Nodes[Count] }
}
