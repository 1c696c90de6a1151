import { build } from 'esbuild'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { io } from 'socket.io-client'
import t, { type Test } from 'tap'
import { connect, type IdStorage } from '../../lib/client/index.js'
import type { Message, Position, Ready } from '../../lib/index.js'
import type { Call, Said, Start } from '../fixtures/killed-server.js'
import type { Transport } from '../helpers/client.js'

const KILLS = 20
const EVENTS = 20_000
/** Events that have resolved in each life before it may be killed, so that they are enough together. */
const A_LIFE = Math.ceil(EVENTS / KILLS * 1.3)
/** What a life lasts longer at most, in ms. */
const MAX_REST = 300
/** What has not arrived by then is lost, in ms. */
const PATIENCE = 30_000
/** The first number of each life, times the number of the life. */
const LIFE = 1_000_000

const FIXTURE = fileURLToPath(new URL('../fixtures/killed-server.ts', import.meta.url))
/** Where a bundle finds the packages that it imports. */
const WITHIN = fileURLToPath(new URL('../../.tap/', import.meta.url))
const numberOf = ({ data }: Message): number => (data as { number: number }).number

/** The server's program as one file in plain JavaScript, which is loaded in a tenth of the time. */
async function bundle (t: Test): Promise<string> {
  mkdirSync(WITHIN, { recursive: true })
  const directory = mkdtempSync(join(WITHIN, 'kills-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const outfile = join(directory, 'server.mjs')
  await build({ entryPoints: [FIXTURE], outfile, bundle: true, packages: 'external', platform: 'node', format: 'esm', target: 'node20' })
  return outfile
}

/** A server's process, loaded and waiting until it is started. */
class Server {
  /** Numbers of events whose `emit` has resolved, with their ids. */
  readonly resolved: Array<readonly [number: number, id: string]> = []
  readonly #process: ChildProcess
  /** Resolves when it has ended and everything that it had said is read. */
  readonly #ended: Promise<unknown>
  readonly #loaded: Promise<Said>
  #enough: () => void = () => {}

  constructor (t: Test, program: string) {
    this.#process = spawn(process.execPath, [program], { stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'ipc'] })
    t.teardown(() => { this.#process.kill('SIGKILL') })
    const lines = createInterface(this.#process.stdio[3] as Readable)
    lines.on('line', line => {
      const [number = '', id = ''] = line.split(' ')
      if (this.resolved.push([Number(number), id]) >= A_LIFE) this.#enough()
    })
    this.#ended = Promise.all([once(this.#process, 'exit'), once(lines, 'close')])
    this.#loaded = this.#said()
    this.#loaded.catch(() => {})
  }

  async #said (): Promise<Said> {
    const [said] = await Promise.race([once(this.#process, 'message'), once(this.#process, 'exit').then(() => { throw new Error('the server has ended by itself') })])
    return said as Said
  }

  async #call (call: Call): Promise<Said> {
    const said = this.#said()
    this.#process.send(call)
    return await said
  }

  /** @returns the port, as soon as it listens */
  async start (options: Start): Promise<number> {
    await this.#loaded
    const said = await this.#call({ start: options })
    return (said as { port: number }).port
  }

  emit (): void {
    this.#process.send({ emit: true } satisfies Call)
  }

  /** Resolves when so many events have resolved that it may be killed. */
  async hasLived (): Promise<void> {
    const enough = new Promise<void>(resolve => { this.#enough = resolve })
    if (this.resolved.length < A_LIFE) await Promise.race([enough, this.#ended])
  }

  async kill (): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#ended
  }

  /** Ends the stream, or makes it longer by one. @returns the number of the last event */
  async emitLast (call: 'stop' | 'last'): Promise<number> {
    return (await this.#call({ [call]: true } as unknown as Call) as { last: number }).last
  }
}

/** What one client gets, in every life of the server. */
class Reader {
  readonly name: string
  readonly isMine: (number: number) => boolean
  readonly messages: Array<readonly [number: number, id: string]> = []
  readonly recovered: Array<boolean | null> = []
  /** Numbers that a stock client was handed before it was told that it is in. */
  readonly held = new Set<number>()
  /** How many of these came once more. */
  repeated = 0
  #check: () => void = () => {}

  constructor (name: string, isMine: (number: number) => boolean) {
    this.name = name
    this.isMine = isMine
  }

  take (message: Message): void {
    this.messages.push([numberOf(message), message.id])
    this.#check()
  }

  start ({ recovered }: Pick<Ready, 'recovered'>): void {
    this.recovered.push(recovered)
    this.#check()
  }

  async until (holds: () => boolean): Promise<void> {
    await new Promise<void>(resolve => {
      this.#check = () => { if (holds()) resolve() }
      this.#check()
    })
  }

  /** Waits for an event, and no longer than for one that is lost. */
  async got (number: number): Promise<void> {
    const waiting = new AbortController()
    const arrived = this.until(() => (this.messages.at(-1)?.[0] ?? -1) >= number)
    const lost = sleep(PATIENCE, undefined, { signal: waiting.signal }).catch(() => {})
    await Promise.race([arrived, lost])
    waiting.abort()
  }
}

const OPTIONS = { forceNew: true, reconnectionDelay: 10, reconnectionDelayMax: 60, randomizationFactor: 1 }

/** A stock client that keeps ids as the README shows it. */
function readPlainly (t: Test, url: string, transports: readonly Transport[], reader: Reader): void {
  let lastEventId = ''
  const socket = io(url, {
    ...OPTIONS,
    transports: [...transports],
    auth: give => {
      // What came while its connection was being closed has not been handled, and comes again.
      socket.receiveBuffer = []
      give({ lastEventId })
    }
  })
  t.teardown(() => { socket.disconnect() })
  socket.on('ws.ready', (ready: Ready) => {
    lastEventId = ready.lastEventId
    reader.start(ready)
  })
  socket.on('ws.position', (position: Position) => { lastEventId = position.lastEventId })
  socket.onAny((event: string, message: Message) => {
    if (event.startsWith('ws.')) return
    lastEventId = message.id
    reader.take(message)
  })
}

/** A stock client that keeps nothing, and only compares ids. */
function readAsStock (t: Test, url: string, transports: readonly Transport[], reader: Reader): void {
  const socket = io(url, { ...OPTIONS, transports: [...transports] })
  let isIn = false
  let newest = ''
  t.teardown(() => { socket.disconnect() })
  socket.on('connect', () => {
    isIn = true
    reader.start(socket)
  })
  socket.on('disconnect', () => { isIn = false })
  socket.onAny((event: string, message: Message) => {
    if (event.startsWith('ws.')) return
    const number = numberOf(message)
    if (!isIn) reader.held.add(number)
    if (message.id <= newest && reader.held.has(number)) {
      reader.repeated++
      return
    }
    newest = message.id
    reader.take(message)
  })
}

/** The client of this package, which can be loaded anew as a page is. */
function readByHelper (t: Test, url: string, reader: Reader): { reload: () => void } {
  const kept = new Map<string, string>()
  const storage: IdStorage = { getItem: key => kept.get(key), setItem: (key, value) => kept.set(key, value) }
  const open = () => {
    const client = connect(url, { ...OPTIONS, transports: ['websocket'], storage })
    client.socket.on('ws.ready', (ready: Ready) => { reader.start(ready) })
    client.onAny(message => { reader.take(message) })
    return client
  }
  let client = open()
  t.teardown(() => { client.close() })
  return {
    reload: () => {
      client.close()
      client = open()
    }
  }
}

t.test(`${KILLS} times SIGKILL while events are emitted without pause: five clients get all that had resolved, once and in order`, async t => {
  const path = mkdtempSync(join(tmpdir(), 'kills-'))
  t.teardown(() => { rmSync(path, { recursive: true, force: true }) })
  const program = await bundle(t)
  const servers: Server[] = []
  // One in advance, because to load a program takes longer than its life.
  const spare = (): void => { servers.push(new Server(t, program)) }
  spare()
  const port = await (servers[0] as Server).start({ port: 0, path, first: 0, emits: false })
  const url = `http://127.0.0.1:${port}`
  const isAcmes = (number: number): boolean => number % 5 !== 0
  const readers = [new Reader('the helper', isAcmes), new Reader('plain JavaScript', isAcmes), new Reader('the root', () => true), new Reader('a stock client', isAcmes), new Reader('a stock client at the root', () => true)] as const
  const helper = readByHelper(t, `${url}/acme`, readers[0])
  readPlainly(t, `${url}/acme`, ['polling', 'websocket'], readers[1])
  readPlainly(t, url, ['polling'], readers[2])
  readAsStock(t, `${url}/acme`, ['websocket'], readers[3])
  readAsStock(t, url, ['polling', 'websocket'], readers[4])
  const allBack = async (): Promise<void> => {
    const before = readers.map(({ recovered }) => recovered.length)
    await Promise.all(readers.map(async (reader, at) => { await reader.until(() => reader.recovered.length > (before[at] ?? 0)) }))
  }
  await allBack()
  servers[0]?.emit()
  for (let life = 0; life < KILLS; life++) {
    const server = servers[life] as Server
    spare()
    await server.hasLived()
    await sleep(Math.random() * MAX_REST)
    await server.kill()
    if (life % 3 === 2) helper.reload()
    const next = servers[life + 1] as Server
    const back = allBack()
    // Every other one has nothing newer than what its clients come with.
    const emits = life % 2 === 0
    await next.start({ port, path, first: (life + 1) * LIFE, emits })
    if (emits) continue
    await back
    next.emit()
  }
  for (const call of ['stop', 'last'] as const) {
    // What came too often would have come before the second one.
    const last = await (servers[KILLS] as Server).emitLast(call)
    await Promise.all(readers.map(async reader => { await reader.got(last) }))
  }

  const resolved = servers.flatMap(server => server.resolved)
  t.comment(`${KILLS} kills, ${resolved.length} events had resolved, ${readers.map(({ name, messages, recovered, held, repeated }) => `${name}: ${messages.length} in ${recovered.length} connections (${held.size} held back, ${repeated} of these replayed as well)`).join(', ')}`)
  t.ok(resolved.length >= EVENTS, `${resolved.length} events`)
  for (const { name, messages, recovered, isMine } of readers) {
    const received = new Map(messages)
    const mine = resolved.filter(([number]) => isMine(number))
    t.strictSame(mine.filter(([number, id]) => received.get(number) !== id).slice(0, 10), [], `${name} has lost nothing`)
    t.equal(received.size, messages.length, `${name} has nothing twice`)
    t.strictSame(messages.filter(([number, id], at) => {
      const [before = -1, idBefore = ''] = messages[at - 1] ?? []
      return number <= before || id <= idBefore
    }).slice(0, 10), [], `${name} has everything in order`)
    t.strictSame(messages.filter(([number]) => !isMine(number)), [], `${name} has nothing of others`)
    t.equal(recovered[0], name.startsWith('a stock client') ? false : null)
    t.ok(recovered.slice(1).every(answer => answer === true), `${name} was told each time that it is recovered`)
    t.ok(recovered.length > KILLS / 2, `${name} came back ${recovered.length - 1} times`)
  }
})
