import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { promisify } from 'node:util'

/** Runs a program to its end. Rejects, with what it printed, when it fails. */
export async function run (command, args, options) {
  try {
    return await promisify(execFile)(command, args, { maxBuffer: 64 * 1024 * 1024, ...options })
  } catch (err) {
    throw new Error(`${command} ${args.join(' ')}: ${err.message}\n${err.stdout}${err.stderr}`)
  }
}

/** A port of the loopback interface that nobody listens on. */
export async function freePort () {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/**
 * A program that runs until it is stopped.
 * The process group stays that of the step, which ends what is left of it.
 */
export class Program {
  #child
  #name
  #output = ''
  #exit

  constructor (command, args, options) {
    this.#name = [command, ...args].join(' ')
    this.#child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#exit = once(this.#child, 'exit')
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        this.#output += text
        this.#child.emit('output')
      })
    }
  }

  /** Waits until it has printed this. */
  async prints (pattern, seconds) {
    const signal = AbortSignal.timeout(seconds * 1000)
    while (!pattern.test(this.#output)) {
      await this.#orExit(once(this.#child, 'output', { signal }), `it printed ${pattern}`)
    }
  }

  /** Waits for something that is to happen while it runs. */
  async #orExit (promise, what) {
    const exit = this.#exit.then(([code, signal]) => { throw new Error(`ended (${signal ?? code})`) })
    try {
      return await Promise.race([promise, exit])
    } catch (err) {
      throw new Error(`${this.#name}: ${err.message} before ${what}. It printed:\n${this.#output}`)
    }
  }

  /** The same for an event of an emitter, which may come within so many seconds. */
  until (emitter, event, seconds) {
    return this.#orExit(once(emitter, event, { signal: AbortSignal.timeout(seconds * 1000) }), `"${event}"`)
  }

  /**
   * Ends it as Ctrl-C in a terminal does: by SIGINT to it and to all that it has started. For one that is `detached`.
   * Answers its exit code, or the signal that ended it.
   */
  async interrupt (seconds = 30) {
    const group = -this.#child.pid
    const timer = setTimeout(() => { process.kill(group, 'SIGKILL') }, seconds * 1000)
    process.kill(group, 'SIGINT')
    const [code, signal] = await this.#exit
    clearTimeout(timer)
    return signal ?? code
  }

  /** Ends what it has left behind. For one that is `detached`. */
  kill () {
    try {
      process.kill(-this.#child.pid, 'SIGKILL')
    } catch (err) {
      if (err.code !== 'ESRCH') throw err
    }
  }

  /** Sends it SIGTERM. Answers its exit code, or the signal that ended it. */
  async stop (seconds = 30) {
    const timer = setTimeout(() => { this.#child.kill('SIGKILL') }, seconds * 1000)
    this.#child.kill('SIGTERM')
    const [code, signal] = await this.#exit
    clearTimeout(timer)
    return signal ?? code
  }
}
