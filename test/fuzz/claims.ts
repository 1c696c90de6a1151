import { keyOf, type KeyWord, type Opened, OPENS } from './keys.js'
import { readJson } from './judge.js'

const ADMITTED = /^40\/([^,]*),\{"sid":/
const EVENT = /^4(?:2|5\d+-)(?:(\/[^,]*),)?(\[[\s\S]*\])$/

/** The instance that a namespace is, `undefined` for what could not be the name of one. */
function instanceAt (namespace: string): string | undefined {
  try {
    return decodeURIComponent(namespace).replace(/\/$/, '').normalize('NFC')
  } catch {
    return undefined
  }
}

/** The keys that one connection has sent, and what it is told that none of them opens. */
export class Claims {
  readonly #marker: string
  // Map(word -> what it opens)
  readonly #opened = new Map<string, Opened>()

  constructor (marker: string) {
    this.#marker = marker
  }

  /** To be told of all that the connection sends, before it does. */
  sent (bytes: Buffer): void {
    for (const [word, opened] of Object.entries(OPENS)) {
      if (!this.#opened.has(word) && bytes.includes(keyOf(this.#marker, word as KeyWord))) this.#opened.set(word, opened)
    }
  }

  /** What is wrong with what it is told; `undefined` when it may know. */
  fault (packet: string): string | undefined {
    const admitted = ADMITTED.exec(packet)?.[1]
    if (admitted !== undefined) return this.#mayEnter(instanceAt(admitted)) ? undefined : `a client came in without a key that opens it: ${packet.slice(0, 200)}`
    const [, namespace, json] = EVENT.exec(packet) ?? []
    const told = json === undefined ? undefined : readJson(json)
    if (!Array.isArray(told)) return
    const [event, message] = told as [unknown, unknown]
    const instance = typeof message === 'object' && message !== null && 'instance' in message ? message.instance : undefined
    if (typeof event !== 'string' || typeof instance !== 'string') return
    if (namespace !== undefined && instanceAt(namespace.slice(1)) !== instance) return `the namespace of another instance was told of an event: ${packet.slice(0, 200)}`
    return this.mayHear(instance, event) ? undefined : `a client was told of an event that its keys do not open: ${packet.slice(0, 200)}`
  }

  /** Whether a key was sent that opens an instance; `null`: anything at all. */
  opens (instance: string | null): boolean {
    return instance === null ? this.#opened.size > 0 : this.#mayEnter(instance)
  }

  /** Whether a key was sent that opens all instances. */
  get opensAll (): boolean {
    return [...this.#opened.values()].some(({ instances }) => instances === null)
  }

  /** Whether a key was sent that opens an event of some instance. */
  mayKnow (event: string): boolean {
    return [...this.#opened.values()].some(({ events }) => events === null || events.test(event))
  }

  #mayEnter (instance: string | undefined): boolean {
    return [...this.#opened.values()].some(({ instances }) => instances === null || (instance !== undefined && instances.includes(instance)))
  }

  mayHear (instance: string, event: string): boolean {
    // What the service itself says is no event of an instance.
    const isOwn = event.startsWith('ws.')
    return [...this.#opened.values()].some(({ instances, events }) => (instances === null || instances.includes(instance)) && (isOwn || events === null || events.test(event)))
  }
}
