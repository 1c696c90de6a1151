import type { WsEventsOptions } from '../../../lib/index.js'
import type { Emission } from '../../fixtures/node-server.js'
import type { Scope } from '../../helpers/server.js'
import { bundleNode, NodeProcess } from '../helpers/node-process.js'

/** The numbers of each process begin at its own multiple of this. */
export const LIFE = 1_000_000

interface Place {
  readonly port: number
  node: NodeProcess
}

/** Several nodes, each at its place; in the place of one that is killed comes another. */
export class Fleet {
  readonly #t: Scope
  readonly #program: string
  readonly #options: WsEventsOptions
  readonly #places: Place[] = []
  readonly #all: NodeProcess[] = []
  #emission: Omit<Emission, 'first'> | undefined
  #lives = 0
  #spare: NodeProcess

  private constructor (t: Scope, program: string, options: WsEventsOptions) {
    this.#t = t
    this.#program = program
    this.#options = options
    this.#spare = this.#load()
  }

  static async start (t: Scope, count: number, options: WsEventsOptions): Promise<Fleet> {
    const fleet = new Fleet(t, await bundleNode(t), options)
    for (let at = 0; at < count; at++) {
      const node = fleet.#take()
      fleet.#places.push({ node, port: await node.call('start', { port: 0, options }) })
    }
    return fleet
  }

  get urls (): string[] {
    return this.#places.map(({ port }) => `http://127.0.0.1:${port}`)
  }

  get size (): number {
    return this.#places.length
  }

  #load (): NodeProcess {
    return new NodeProcess(this.#t, this.#program)
  }

  /** One in advance is loaded already, which takes longer than to start. */
  #take (): NodeProcess {
    const node = this.#spare
    this.#all.push(node)
    this.#spare = this.#load()
    return node
  }

  #emissionOfNext (): { emission?: Emission } {
    return this.#emission === undefined ? {} : { emission: { ...this.#emission, first: ++this.#lives * LIFE } }
  }

  async set (instances: readonly string[]): Promise<void> {
    await this.#places[0]?.node.call('set', instances)
  }

  /** Each emits its part, and so does whoever comes in its place. */
  async emit (rate: number, instances: number): Promise<void> {
    this.#emission = { rate: rate / this.size, instances }
    for (const { node } of this.#places) await node.call('emit', this.#emissionOfNext().emission as Emission)
  }

  async kill (at: number): Promise<void> {
    const place = this.#places[at] as Place
    await place.node.kill()
    const node = this.#take()
    await node.call('start', { port: place.port, options: this.#options, ...this.#emissionOfNext() })
    place.node = node
  }

  async stop (): Promise<void> {
    await Promise.all(this.#places.map(async ({ node }) => { await node.call('stop') }))
  }

  async last (): Promise<void> {
    await this.#places[0]?.node.call('last')
  }

  get resolved (): ReadonlyArray<readonly [number: number, id: string]> {
    return this.#all.flatMap(({ resolved }) => [...resolved])
  }

  get rejected (): ReadonlyArray<readonly [number: number, code: string]> {
    return this.#all.flatMap(({ rejected }) => [...rejected])
  }
}
