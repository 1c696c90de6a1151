import { json } from 'node:stream/consumers'
import { getHeapSnapshot } from 'node:v8'

/** The parts of a heap snapshot that are used here: https://github.com/v8/v8/blob/main/src/profiler/heap-snapshot-generator.cc */
interface Snapshot {
  readonly snapshot: { readonly meta: { readonly node_fields: readonly string[], readonly edge_fields: readonly string[], readonly edge_types: readonly [readonly string[]] } }
  readonly nodes: readonly number[]
  readonly edges: readonly number[]
  readonly strings: readonly string[]
}

/**
 * Bytes that objects of a class keep alive: themselves, and what nothing else leads to.
 *
 * @param name of the class; a bundler may have put `_` before it
 */
export async function retainedBy (name: string): Promise<number> {
  const { snapshot: { meta }, nodes, edges, strings } = await json(getHeapSnapshot()) as Snapshot
  const [nodeSize, edgeSize] = [meta.node_fields.length, meta.edge_fields.length]
  const field = (of: string): number => meta.node_fields.indexOf(of)
  const [nameAt, sizeAt, countAt] = [field('name'), field('self_size'), field('edge_count')]
  const [typeAt, toAt] = [meta.edge_fields.indexOf('type'), meta.edge_fields.indexOf('to_node')]
  const weak = meta.edge_types[0].indexOf('weak')
  const count = nodes.length / nodeSize
  const firstEdge = new Uint32Array(count + 1)
  for (let node = 0; node < count; node++) firstEdge[node + 1] = (firstEdge[node] ?? 0) + (nodes[node * nodeSize + countAt] ?? 0)
  const isOne = (node: number): boolean => (strings[nodes[node * nodeSize + nameAt] ?? 0] ?? '').replace('_', '') === name

  /** Bytes that the root leads to. */
  function reachable (isPassed: (node: number) => boolean): number {
    const seen = new Uint8Array(count)
    const open = [0]
    seen[0] = 1
    let bytes = 0
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      bytes += nodes[node * nodeSize + sizeAt] ?? 0
      for (let edge = firstEdge[node] ?? 0; edge < (firstEdge[node + 1] ?? 0); edge++) {
        const to = (edges[edge * edgeSize + toAt] ?? 0) / nodeSize
        if (edges[edge * edgeSize + typeAt] === weak || seen[to] === 1 || !isPassed(to)) continue
        seen[to] = 1
        open.push(to)
      }
    }
    return bytes
  }

  return reachable(() => true) - reachable(node => !isOne(node))
}
