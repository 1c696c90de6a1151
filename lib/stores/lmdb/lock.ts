import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, rmSync, symlinkSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'

const NAME = /^owner-[0-9a-f]{16}\.sock$/
/** Longest path of a socket. The system's limit is 104 bytes on macOS and 108 on Linux. */
const MAX_SOCKET_PATH = 100
const ANSWER_WITHIN = 5000
const OWNER = 'owner'

/** Another process has the lock of a directory. */
export class AlreadyLocked extends Error {}

/**
 * Acquires the lock of a directory. The process holds the lock until it releases it or ends, even by SIGKILL.
 *
 * Each process that wants the lock listens on a socket of its own in the directory, and then asks all other sockets
 * there. Two processes cannot both succeed: the one that listened later finds the other, and if both started together,
 * the first by name wins. The kernel closes the socket with its process, so a socket file left by a dead process
 * refuses connections, even from another container that shares the files. A lock by process id would fail there, and
 * when an id is reused.
 *
 * The lock must be acquired before LMDB is opened, because opening would already disturb an owner in another container
 * with the same process id.
 *
 * @param directory its real path
 * @returns a function that releases the lock
 * @throws AlreadyLocked with the owner's process id; errors of the file system
 */
export async function acquireLock (directory: string): Promise<() => Promise<void>> {
  const lock = process.platform === 'win32' ? await acquirePipe(directory) : await acquireSocket(directory)
  try {
    const dead: string[] = []
    for (const other of lock.others()) {
      // The first by name waits for the others' answers. The others do not wait for it.
      const { answer, alive } = await ask(other.path, other.isBefore)
      if (alive) throw taken(answer)
      dead.push(other.path)
    }
    lock.confirm()
    // Delete dead sockets only with the lock: a socket that does not listen yet looks dead, and a loser must not hide
    // it from a third process.
    for (const path of dead) rmSync(path, { force: true })
    return lock.release
  } catch (error) {
    await lock.release()
    throw error
  }
}

interface Other {
  readonly path: string
  readonly isBefore: boolean
}

interface Lock {
  others(): Other[]
  /** Tells waiting processes that this one has the lock. */
  confirm(): void
  release(): Promise<void>
}

const taken = (who: string): AlreadyLocked =>
  new AlreadyLocked(`${who} has it: two cannot share it, so stop the other one or give each a path of its own`)

async function acquireSocket (directory: string): Promise<Lock> {
  const name = `owner-${randomBytes(8).toString('hex')}.sock`
  const server = new LockServer()
  try {
    await atShortPath(directory, name, async path => { await server.listen(path) })
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
    confirm: () => { server.confirm() },
    release: async () => {
      await server.close()
      rmSync(join(directory, name), { force: true })
    }
  }
}

/**
 * On Windows a pipe's name can be used by one process at a time, and is free when that process ends. The name is the
 * lock.
 */
async function acquirePipe (directory: string): Promise<Lock> {
  const path = `\\\\.\\pipe\\fastify-ws-events-${createHash('sha256').update(directory.toLowerCase()).digest('hex')}`
  const server = new LockServer()
  try {
    await server.listen(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
      throw taken((await ask(path, true)).answer)
    }
    throw error
  }
  return { others: () => [], confirm: () => { server.confirm() }, release: async () => { await server.close() } }
}

/** Sends each process that connects the name of this one and, as soon as it has the lock, a confirmation. */
class LockServer {
  readonly #server: Server
  readonly #asking = new Set<Socket>()
  #isOwner = false

  constructor () {
    this.#server = createServer(socket => { this.#greet(socket) }).unref()
  }

  async listen (path: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      // `exclusive`, because workers of node:cluster would otherwise share one socket.
      this.#server.listen({ path, exclusive: true }, () => {
        this.#server.off('error', reject)
        // A listening server only fails when it cannot accept a connection for lack of file descriptors. The other
        // process then gets no answer, which it takes as a lock that is held.
        this.#server.on('error', () => {})
        resolve()
      })
    })
  }

  confirm (): void {
    this.#isOwner = true
    for (const socket of this.#asking) socket.end(OWNER)
  }

  async close (): Promise<void> {
    for (const socket of this.#asking) socket.destroy()
    await new Promise<void>(resolve => { this.#server.close(() => { resolve() }) })
  }

  #greet (socket: Socket): void {
    this.#asking.add(socket.unref())
    // Ignore the error of a process that asks and ends before the answer.
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
 * Asks whether a process listens on a socket.
 *
 * @param soon whether to resolve as soon as the process has sent its name; else waits until it has the lock or has
 *   ended
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

/**
 * Calls `use` with a path of a file that is short enough for a socket. A symbolic link shortens the directory if
 * necessary.
 */
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
