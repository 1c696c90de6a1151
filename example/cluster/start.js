/** `npm run cluster`: Redis, three nodes that are killed in turn, nginx before them, and clients that count. */
import { connect } from 'fastify-ws-events/client'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { INSTANCES, recordedSession } from '../session.js'
import { startNginx } from './nginx.js'
import { ExampleNode } from './nodes.js'
import { freePorts, HOST, requirePrograms, stop } from './programs.js'
import { startRedis } from './redis.js'
import { Tally } from './tally.js'

/**
 * @import { EventsClient, Message, Ready } from 'fastify-ws-events/client'
 * @import { RecordedEvent } from '../session.js'
 */

const USAGE = `npm run cluster -- [--seconds N]

  --seconds N  end after so long, with exit code 0 if no event was lost or doubled (default: when you press Ctrl-C)`

const NODES = 3
const EVENTS_PER_SECOND = 50
const KILL_EVERY = 10_000
const UNTIL_CONNECTED = 10_000
/** How long the last events may take to arrive, in ms. */
const LAST_EVENTS = 15_000

const tally = new Tally()
const ending = new AbortController()
/**
 * What is to be ended, in the order in which it was started.
 *
 * @type {Array<() => unknown>}
 */
const started = []

async function startCluster () {
  const directory = mkdtempSync(join(tmpdir(), 'cluster-'))
  started.push(() => { rmSync(directory, { recursive: true, force: true }) })
  const [port, redisPort, ...nodePorts] = /** @type {[number, number, ...number[]]} */ (await freePorts(2 + NODES))
  const redis = await startRedis(redisPort, directory)
  started.push(async () => { await stop(redis) })
  const apikey = randomUUID()
  const nodes = nodePorts.map(port => new ExampleNode({ port, store: `redis://${HOST}:${redisPort}`, apikey }))
  started.push(async () => { await Promise.all(nodes.map(async node => { await node.stop() })) })
  await Promise.all(nodes.map(async node => { await node.start() }))
  const nginx = await startNginx(port, nodePorts, directory)
  started.push(async () => { await stop(nginx) })
  return { url: `http://${HOST}:${port}`, apikey, nodes }
}

/**
 * Connects a client to each instance, through nginx; resolves when all take part.
 *
 * @param {string} url
 * @param {string} apikey
 */
async function startClients (url, apikey) {
  await Promise.all(INSTANCES.map(async instance => {
    // Each has a connection of its own, so that they are spread over the nodes.
    const client = connect(`${url}/${encodeURIComponent(instance)}`, { apikey, transports: ['websocket'], forceNew: true, reconnectionDelay: 100, reconnectionDelayMax: 1000 })
    started.push(() => { client.close() })
    client.onAny(message => { tally.receive(/** @type {Message & { number: number }} */ (message).number) })
    client.socket.on('ws.ready', (/** @type {Ready} */ { recovered }) => { if (recovered === true) tally.resumed++ })
    await takesPart(client)
  }))
}

/** @param {EventsClient} client */
async function takesPart ({ socket }) {
  await new Promise((resolve, reject) => {
    socket.once('ws.ready', resolve)
    setTimeout(() => { reject(new Error('a client could not connect')) }, UNTIL_CONNECTED).unref()
  })
}

/**
 * @template Item
 * @param {readonly Item[]} items
 */
const oneOf = items => /** @type {Item} */ (items[Math.floor(Math.random() * items.length)])

/**
 * Emits the session, each event on any node that is up.
 *
 * @param {readonly ExampleNode[]} nodes
 */
async function play (nodes) {
  const session = recordedSession()
  for (let number = 1; !ending.signal.aborted; number++) {
    // Not awaited: the next event does not wait for this one, and a node that is killed may take a moment to be seen.
    void emit(oneOf(nodes.filter(({ isReady }) => isReady)), number, session.next().value)
    await sleep(1000 / EVENTS_PER_SECOND)
  }
}

/**
 * @param {ExampleNode} node
 * @param {number} number
 * @param {RecordedEvent} event
 */
async function emit (node, number, event) {
  tally.asked++
  if (await node.emit(number, event)) tally.emit(number)
  else tally.failed++
}

/** @param {readonly ExampleNode[]} nodes */
async function killNowAndThen (nodes) {
  /** @type {ExampleNode | undefined} */
  let last
  while (await passes(KILL_EVERY)) {
    last = oneOf(nodes.filter(node => node !== last))
    await last.kill()
    tally.killed++
    await last.start()
  }
}

async function printEachSecond () {
  for (let second = 1; await passes(1000); second++) console.log(`${String(second).padStart(4)} s   ${String(tally)}`)
}

/**
 * @param {number} ms
 * @returns whether so much time has passed, or all is to end
 */
async function passes (ms) {
  return await sleep(ms, true, { signal: ending.signal }).catch(() => false)
}

async function lastEvents () {
  for (const end = Date.now() + LAST_EVENTS; !tally.isComplete && Date.now() < end;) await sleep(50)
}

/** @param {number} seconds */
async function run (seconds) {
  const { url, apikey, nodes } = await startCluster()
  await startClients(url, apikey)
  console.log(`Redis, ${NODES} nodes and nginx at ${url} are up. Every ${KILL_EVERY / 1000} seconds a node is killed. Ctrl-C ends it.`)
  if (seconds !== Infinity) setTimeout(() => { ending.abort() }, seconds * 1000).unref()
  await Promise.all([play(nodes), killNowAndThen(nodes), printEachSecond()])
  await lastEvents()
  console.log(`   end   ${String(tally)}`)
  if (tally.emitted === 0 || tally.lost > 0 || tally.doubled > 0) process.exitCode = 1
}

/** @returns after how many seconds it ends; `Infinity`: never by itself */
function readSeconds () {
  try {
    const { seconds = Infinity } = parseArgs({ options: { seconds: { type: 'string' } } }).values
    if (!(Number(seconds) > 0)) throw new Error('--seconds must be a number above 0')
    return Number(seconds)
  } catch (error) {
    throw new Error(`${/** @type {Error} */ (error).message}\n\n${USAGE}`)
  }
}

async function main () {
  const seconds = readSeconds()
  requirePrograms(['nginx', 'redis-server'])
  // Twice, by the terminal and by npm, is the same as once.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => { ending.abort() })
  try {
    await run(seconds)
  } finally {
    ending.abort()
    for (const end of started.reverse()) await end()
  }
}

try {
  await main()
} catch (error) {
  console.error(/** @type {Error} */ (error).message)
  process.exitCode = 1
}
