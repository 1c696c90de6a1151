import { plays } from './happenings.js'
import { shown } from './log-words.js'
import type { Observation } from './outcomes.js'
import type { Row } from './rows.js'
import { setups } from './states.js'
import { type Needs, turns, World } from './world.js'

/** In ms: a row in which nothing more happens by then has failed. */
const PATIENCE = 100_000
/** How often the next client tries to have the place of one that has gone. */
const TRIES = 5

function needsOf (...needs: ReadonlyArray<Needs | undefined>): Needs {
  return needs.reduce<Needs>((sum, one) => ({
    ...sum,
    ...one,
    options: { ...sum.options, ...one?.options },
    limits: { ...sum.limits, ...one?.limits }
  }), {})
}

/** Plays a row with a server and clients of its own, and tells what was seen. */
export async function play (row: Row): Promise<Observation> {
  const cleanings: Array<() => unknown> = []
  const scope = { teardown: (clean: () => unknown) => { cleanings.unshift(clean) } }
  try {
    const needs = needsOf(setups[row.state].needs, plays[row.happening]?.needs)
    return await played(row, await World.start(scope, row.way, needs))
  } finally {
    for (const clean of cleanings) await clean()
  }
}

async function played (row: Row, world: World): Promise<Observation> {
  const happening = plays[row.happening]
  if (happening === undefined) throw new Error(`nobody knows how to play "${row.happening}"`)
  const { client } = world
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>(resolve => { timer = setTimeout(() => { resolve('late') }, PATIENCE) })
  const whole = async (): Promise<Observation> => {
    await setups[row.state].enter(world)
    world.mark()
    await happening.run(world)
    world.openGates()
    if (row.state === 'connecting' && world.closing === undefined && !client.hasLeft && !client.hasJoined) client.join()
    const rounds = new Rounds(world, row.state === 'muted' && happening.unmutes !== true)
    await rounds.end()
    const seen = observation(world, rounds)
    return { ...seen, released: world.leftEarly ?? await released(world) }
  }
  try {
    const seen = await Promise.race([whole(), late])
    if (seen !== 'late') return seen
    return { told: 'no end', returns: '-', gets: '-', counted: '-', logged: '-', released: '-' }
  } finally {
    clearTimeout(timer)
  }
}

/** Lets the instance have events, again each time that the client is let in: it gets them, or is gone for good. */
class Rounds {
  readonly #world: World
  readonly #isMuted: boolean
  #count = 0
  #last: Promise<void> = Promise.resolve()

  /** @param isMuted whether the instance is disabled, and its clients stay */
  constructor (world: World, isMuted: boolean) {
    this.#world = world
    this.#isMuted = isMuted
  }

  /** Resolves when nothing more is to come. */
  async end (): Promise<void> {
    const { client } = this.#world
    client.onIn = () => { this.#begin() }
    this.#begin()
    await client.until(() => this.#isOver())
    client.onIn = () => {}
    await this.#last
  }

  #isOver (): boolean {
    const { client, closing, got, returns } = this.#world
    const isServed = got.some(data => data.startsWith('last'))
    return isServed || client.isFinal || client.hasLeft || (closing !== undefined && returns > 0)
  }

  #begin (): void {
    // A page has no part in what is emitted later.
    const isOver = this.#world.closing !== undefined || this.#world.parts.way === 'page'
    if (!isOver) this.#last = this.#last.then(async () => { await this.#run(++this.#count) })
  }

  /** The last event is one that a narrowed config lets through, and of an instance that is enabled. */
  async #run (round: number): Promise<void> {
    const { wsEvents } = this.#world
    if (this.#isMuted) await wsEvents.set('acme', { enabled: false })
    await wsEvents.emit('acme', 'call', `first ${round}`)
    if (this.#isMuted) await wsEvents.set('acme', { enabled: true })
    await wsEvents.emit('acme', 'chats.set', `last ${round}`)
  }

  /** Which of its events the client got, and of the past. */
  get got (): string {
    const { got, returns } = this.#world
    const has = (word: string) => got.some(data => data.startsWith(word))
    const past = has('past') ? ['past'] : []
    const next = has('of the next instance') ? ['of the next instance'] : []
    const ours = got.filter(data => /^(first|last)/.test(data))
    // What is brought again on another connection is not doubled.
    const doubled = returns === 0 && new Set(ours).size < ours.length ? ['twice'] : []
    const partly = this.#isMuted ? 'once enabled' : 'CHATS_SET only'
    const live = has('last') ? [has('first') ? 'all' : partly] : has('first') ? ['CALL only'] : []
    const all = [...past, ...next, ...live, ...doubled]
    return all.length === 0 ? 'none' : all.join(', ')
  }
}

function observation (world: World, rounds: Rounds): Omit<Observation, 'released'> {
  const { told: [told = 'nothing'], returns, client, counted, logged: [line] } = world
  return {
    told,
    returns: returns > 0 ? 'yes' : client.isFinal && !client.hasLeft ? 'no' : '-',
    gets: rounds.got,
    counted,
    logged: line === undefined ? 'nothing' : shown(line)
  }
}

/** Whether nothing is left of a client: another one has its place, and the stream is watched for nobody. */
async function released (world: World): Promise<string> {
  const { client, wsEvents, closing } = world
  client.close()
  if (closing !== undefined) {
    // A keep-alive connection that was in use when Fastify began to close holds it open, whatever the route.
    world.parts.network.cut()
    await closing
    await turns()
    return world.left
  }
  await wsEvents.set('acme', { enabled: true })
  for (let time = 0; time < TRIES; time++) {
    const next = await world.another()
    next.close()
    if (next.isIn) return await world.leftAtLast()
  }
  return 'no: the next client is refused'
}
