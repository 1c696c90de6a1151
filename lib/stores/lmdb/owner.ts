import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, rmSync, symlinkSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'

const NAME = /^owner-[0-9a-f]{16}\.sock$/
/** What a path of a socket may have: 104 bytes on macOS, 108 on Linux. */
const MAX_SOCKET_PATH = 100
const ANSWER_WITHIN = 5000
const OWNER = 'owner'

/** Says that somebody else has a directory. */
export class Taken extends Error {}

/**
 * Makes this process the only owner of a directory, until it lets go or dies, be it by SIGKILL.
 *
 * Who wants the directory listens on a socket of its own in it, and then asks all others there. It cannot be that two
 * win: whoever listened later finds the other. Of two that come at the same time the first by name wins. The kernel
 * ends the socket with its process, so that what a dead one left behind refuses, also to another container on the same
 * files. A lock by process number could be fooled there, and by a number that is given again.
 *
 * This comes before LMDB is opened, because already that would disturb an owner in another container with the same
 * process number.
 *
 * @param directory its real path
 * @returns lets go
 * @throws Taken saying who has it; errors of the file system
 */
export async function takeOwnership (directory: string): Promise<() => Promise<void>> {
  const flag = process.platform === 'win32' ? await raisePipe(directory) : await raiseSocket(directory)
  try {
    const dead: string[] = []
    for (const other of flag.others()) {
      // The first by name waits for the others, and they do not wait for it.
      const { answer, alive } = await ask(other.path, other.isBefore)
      if (alive) throw taken(answer)
      dead.push(other.path)
    }
    flag.settle()
    // Not before: a socket that does not listen yet looks dead, and whoever loses must not hide it from a third.
    for (const path of dead) rmSync(path, { force: true })
    return flag.lower
  } catch (error) {
    await flag.lower()
    throw error
  }
}

interface Other {
  readonly path: string
  readonly isBefore: boolean
}

interface Flag {
  others(): Other[]
  /** Tells those who wait that this is the owner. */
  settle(): void
  lower(): Promise<void>
}

const taken = (who: string): Taken =>
  new Taken(`${who} has it: two cannot share it, so stop the other one or give each a path of its own`)

async function raiseSocket (directory: string): Promise<Flag> {
  const name = `owner-${randomBytes(8).toString('hex')}.sock`
  const guard = new Guard()
  try {
    await atShortPath(directory, name, async path => { await guard.listen(path) })
  } catch (error) {
    if (
      error instanceof Error && 'code' in error &&
      ['EOPNOTSUPP', 'ENOTSUP', 'EPERM', 'EINVAL'].includes(String(error.code))
    ) {
      throw new Error(
        'its file system has no Unix sockets, which tell whether another process has it: choose a local disk',
        { cause: error }
      )
    }
    throw error
  }
  return {
    others: () => readdirSync(directory).filter(other => NAME.test(other) && other !== name)
      .map(other => ({ path: join(directory, other), isBefore: other < name })),
    settle: () => { guard.settle() },
    lower: async () => {
      await guard.close()
      rmSync(join(directory, name), { force: true })
    }
  }
}

/** On Windows a pipe's name can be had once, and is free when its process ends: that alone decides. */
async function raisePipe (directory: string): Promise<Flag> {
  const path = `\\\\.\\pipe\\fastify-ws-events-${createHash('sha256').update(directory.toLowerCase()).digest('hex')}`
  const guard = new Guard()
  try {
    await guard.listen(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
      throw taken((await ask(path, true)).answer)
    }
    throw error
  }
  return { others: () => [], settle: () => { guard.settle() }, lower: async () => { await guard.close() } }
}

/** Says to whoever connects who this is, and, as soon as it is, that it is the owner. */
class Guard {
  readonly #server: Server
  readonly #asking = new Set<Socket>()
  #isOwner = false

  constructor () {
    this.#server = createServer(socket => { this.#greet(socket) }).unref()
  }

  async listen (path: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      // `exclusive`, or a worker of node:cluster would share the socket of its siblings.
      this.#server.listen({ path, exclusive: true }, () => {
        this.#server.off('error', reject)
        // What can fail from now on is a connection, for want of file descriptors: who asked
        // takes silence for an owner.
        this.#server.on('error', () => {})
        resolve()
      })
    })
  }

  settle (): void {
    this.#isOwner = true
    for (const socket of this.#asking) socket.end(OWNER)
  }

  async close (): Promise<void> {
    for (const socket of this.#asking) socket.destroy()
    await new Promise<void>(resolve => { this.#server.close(() => { resolve() }) })
  }

  #greet (socket: Socket): void {
    this.#asking.add(socket.unref())
    // One who asked and died before the answer is no fault of ours.
    socket.on('error', () => {}).on('close', () => { this.#asking.delete(socket) }).resume()
    socket.write(`process ${process.pid} on ${hostname()}\n`)
    if (this.#isOwner) socket.end(OWNER)
  }
}

interface Answer {
  readonly alive: boolean
  readonly answer: string
}

/**
 * Asks a socket whether somebody has it.
 *
 * @param soon whether to be content with who it is, and not to wait until that one is the owner or gone
 */
async function ask (path: string, soon: boolean): Promise<Answer> {
  const directory = join(path, '..')
  return await atShortPath(directory, path.slice(directory.length + 1), async short => await new Promise(resolve => {
    let said = ''
    const socket = connect(short)
    const settle = (alive: boolean) => {
      socket.destroy()
      resolve({ alive, answer: said.split('\n')[0] ?? '' })
    }
    const isEnough = () => soon ? said.includes('\n') : said.endsWith(`\n${OWNER}`)
    socket.setTimeout(ANSWER_WITHIN, () => {
      said ||= 'a process that does not answer'
      settle(true)
    })
    socket.on('data', chunk => {
      said += chunk.toString()
      if (isEnough()) settle(true)
    })
    socket.on('close', () => { settle(false) })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const isGone = error.code === 'ECONNREFUSED' || error.code === 'ENOENT' || error.code === 'ECONNRESET'
      if (!isGone) said ||= `a process that cannot be asked (${error.message})`
      settle(!isGone)
    })
  }))
}

/** Hands over a path of a file in a directory that is short enough for a socket: through a link where it must be. */
async function atShortPath<T> (directory: string, name: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = join(directory, name)
  if (process.platform === 'win32' || Buffer.byteLength(path) <= MAX_SOCKET_PATH) return await use(path)
  const link = join(tmpdir(), `ws-${randomBytes(6).toString('hex')}`)
  symlinkSync(directory, link)
  try {
    return await use(join(link, name))
  } finally {
    rmSync(link, { force: true })
  }
}
