import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import type { Scope } from './server.js'

/**
 * In the environment of a program that runs lib/ by tsx: it is not counted for coverage. tsx maps lines in another way
 * than tap does, and merged with tap's own count they hide what other tests have covered.
 */
export const UNCOUNTED = { _TAPJS_PROCESSINFO_COVERAGE_: '0' }

/**
 * What Node is told for a program of TypeScript: the loader of the tests. Lines that another one has run would be counted
 * at the wrong places. Those of tap itself cost a process seconds; coverage comes by the environment.
 */
export const LOADER: readonly string[] = process.execArgv.filter(arg => !arg.includes('@tapjs'))

/** A program that a test runs, and what it prints. Ended with the test. */
export class Program {
  readonly lines: string[] = []
  /** Resolves to its exit code, or to the signal that ended it. */
  readonly ended: Promise<number | string>
  readonly #waiting = new Set<() => void>()
  readonly #signal: (signal: NodeJS.Signals) => void

  /** Of the environment it has what programs need: the variables of the plugin are not to matter. */
  constructor (t: Scope, command: string, args: readonly string[], { cwd, env = {} }: { cwd: string, env?: NodeJS.ProcessEnv }) {
    const child = spawn(command, args, { cwd, env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
    createInterface(child.stdout).on('line', line => {
      this.lines.push(line)
      for (const check of this.#waiting) check()
    })
    this.ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
    this.#signal = signal => { child.kill(signal) }
    t.teardown(async () => { await this.end() })
  }

  async end (): Promise<void> {
    this.#signal('SIGKILL')
    await this.ended
  }

  /** What a container's end does. */
  terminate (): void {
    this.#signal('SIGTERM')
  }

  /** What Ctrl-C does. */
  interrupt (): void {
    this.#signal('SIGINT')
  }

  /** Resolves as soon as what it has printed is enough; rejects when it ends before. */
  async printed (isEnough: (lines: readonly string[]) => boolean): Promise<void> {
    const enough = new Promise<void>(resolve => {
      const check = () => {
        if (!isEnough(this.lines)) return
        this.#waiting.delete(check)
        resolve()
      }
      this.#waiting.add(check)
      check()
    })
    await this.whileItRuns(enough)
  }

  /** What is waited for, as long as the program runs; rejects when it ends before. */
  async whileItRuns<Found> (found: Promise<Found>): Promise<Found> {
    const early = this.ended.then(how => { throw new Error(`it ended (${how}) and had printed:\n${this.lines.slice(-20).join('\n')}`) })
    return await Promise.race([found, early])
  }
}

/** A port of `localhost` that nobody listens on. */
export async function freePort (): Promise<number> {
  const server = createServer().listen(0, 'localhost')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
