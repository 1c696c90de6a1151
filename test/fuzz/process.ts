import { build } from 'esbuild'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Scope } from '../helpers/server.js'
import type { Methods, Request, Said } from './server.js'

const PROGRAM = fileURLToPath(new URL('server.ts', import.meta.url))
/** Where a bundle finds the packages that it imports. */
const WITHIN = fileURLToPath(new URL('../../.tap/', import.meta.url))

/** The attacked server as one file in plain JavaScript, which is loaded in a tenth of the time. */
export async function bundleServer (t: Scope): Promise<string> {
  mkdirSync(WITHIN, { recursive: true })
  const directory = mkdtempSync(join(WITHIN, 'fuzz-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const outfile = join(directory, 'server.mjs')
  await build({ entryPoints: [PROGRAM], outfile, bundle: true, packages: 'external', platform: 'node', format: 'esm', target: 'node20', sourcemap: 'inline' })
  return outfile
}

// A run that is ended from outside has no teardown.
const running = new Set<ChildProcess>()
process.once('exit', () => { for (const child of running) child.kill('SIGKILL') })

/** The attacked server in a process of its own. Killed with the run. */
export class ServerProcess {
  readonly #process: ChildProcess
  readonly #ended: Promise<unknown>
  // Map(call -> who waits for its answer)
  readonly #calls = new Map<number, (said: Said) => void>()
  #next = 0
  hasEnded = false

  /** @param surprised told of what goes wrong in it */
  constructor (t: Scope, program: string, surprised: (what: string) => void) {
    const child = this.#process = spawn(process.execPath, ['--expose-gc', '--enable-source-maps', program], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    running.add(child)
    t.teardown(async () => { await this.kill() })
    let isKilled = false
    child.on('message', (said: Said) => {
      if (said.surprise !== undefined) surprised(said.surprise)
      else if (said.call !== undefined) this.#calls.get(said.call)?.(said)
    })
    this.#ended = once(child, 'exit').then(([code, signal]) => {
      running.delete(child)
      this.hasEnded = true
      if (!isKilled) surprised(`it has ended (${String(code ?? signal)})`)
    })
    this.kill = async () => {
      isKilled = true
      child.kill('SIGKILL')
      await this.#ended
    }
  }

  readonly kill: () => Promise<void>

  /** Has it do something, and resolves to what that gives. */
  async call<Name extends keyof Methods> (name: Name, ...given: Parameters<Methods[Name]>): Promise<Awaited<ReturnType<Methods[Name]>>> {
    const call = this.#next++
    const answered = new Promise<Said>(resolve => { this.#calls.set(call, resolve) })
    // To one that has ended it fails, and that is told below.
    this.#process.send({ call, name, given } as unknown as Request, () => {})
    const ended = this.#ended.then((): Said => ({ failed: 'the server has ended' }))
    const { value, failed } = await Promise.race([answered, ended])
    this.#calls.delete(call)
    if (failed !== undefined) throw new Error(`${name}: ${failed}`)
    return value as Awaited<ReturnType<Methods[Name]>>
  }
}
