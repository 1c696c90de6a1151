import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisServer } from '../../helpers/redis.js'
import type { Roamer } from './client.js'
import { Bag, type Draw } from './draw.js'
import type { Fleet } from './fleet.js'

/** What is done to the nodes, to Redis and to the clients. */
export interface Battlefield {
  readonly fleet: Fleet
  readonly redis: RedisServer
  readonly clients: readonly Roamer[]
  /** How long Redis is paused, in ms. */
  readonly pause: number
  /** Until when something new happens at least, of performance.now(). */
  readonly until: number
}

/** How often what has happened. */
export interface Tally {
  kills: number
  restarts: number
  crashes: number
  pauses: number
  cuts: number
  moves: number
}

/** Between two faults of one kind, in ms. */
const OF_NODES = [1000, 4000] as const
const OF_REDIS = [500, 2500] as const
const OF_CLIENTS = [50, 300] as const
/** Redis is away for up to this when it is restarted, in ms. */
const MAX_AWAY = 700

/** One fault after the other, with time in between; those of different kinds fall together as chance has it. */
async function again (isOver: () => boolean, [least, most]: readonly [number, number], draw: Draw, happens: () => unknown): Promise<void> {
  for (;;) {
    await sleep(draw.between(least, most))
    if (isOver()) return
    await happens()
  }
}

/** Whether the time is over and each of some faults has happened: on a busy machine one alone may take most of the time. */
const isOver = ({ until }: Battlefield, tally: Tally, ...names: Array<keyof Tally>): boolean =>
  performance.now() > until && names.every(name => tally[name] > 0)

async function killNodes (field: Battlefield, draw: Draw, tally: Tally): Promise<void> {
  const { fleet } = field
  await again(() => isOver(field, tally, 'kills'), OF_NODES, draw, async () => {
    await fleet.kill(Math.floor(draw.between(0, fleet.size)))
    tally.kills++
  })
}

async function troubleRedis (field: Battlefield, draw: Draw, tally: Tally): Promise<void> {
  const { redis, pause } = field
  const startAgain = async (): Promise<void> => {
    await sleep(draw.between(0, MAX_AWAY))
    await redis.start()
  }
  const faults = new Bag([
    async () => {
      await redis.stop()
      await startAgain()
      tally.restarts++
    },
    async () => {
      await redis.kill()
      await startAgain()
      tally.crashes++
    },
    async () => {
      redis.pause()
      await sleep(pause)
      redis.resume()
      tally.pauses++
    }
  ], draw)
  await again(() => isOver(field, tally, 'restarts', 'crashes', 'pauses'), OF_REDIS, draw, async () => { await faults.take()() })
}

async function disturbClients (field: Battlefield, draw: Draw, tally: Tally): Promise<void> {
  const { clients } = field
  await again(() => isOver(field, tally, 'cuts', 'moves'), OF_CLIENTS, draw, () => {
    draw.pick(clients).cut()
    tally.cuts++
    draw.pick(clients).move()
    tally.moves++
  })
}

/** Everything at once, as the draw has it; ends with Redis and all nodes there. */
export async function rage (field: Battlefield, draw: Draw): Promise<Tally> {
  const tally: Tally = { kills: 0, restarts: 0, crashes: 0, pauses: 0, cuts: 0, moves: 0 }
  await Promise.all([killNodes, troubleRedis, disturbClients].map(async disturb => { await disturb(field, draw.branch(), tally) }))
  return tally
}
