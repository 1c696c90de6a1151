import { build } from 'esbuild'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Answer, Call, Calls } from '../../fixtures/node-server.js'
import type { Scope } from '../../helpers/server.js'

const FIXTURE = fileURLToPath(new URL('../../fixtures/node-server.ts', import.meta.url))
/** Where a bundle finds the packages that it imports. */
const WITHIN = fileURLToPath(new URL('../../../.tap/', import.meta.url))

/** What a line of an answer begins with; all others tell of an event. */
const ANSWER = 'answer '

/** The program of a node as one file in plain JavaScript, which is loaded in a tenth of the time. */
export async function bundleNode (t: Scope): Promise<string> {
  mkdirSync(WITHIN, { recursive: true })
  const directory = mkdtempSync(join(WITHIN, 'node-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const outfile = join(directory, 'node.mjs')
  await build({ entryPoints: [FIXTURE], outfile, bundle: true, packages: 'external', platform: 'node', format: 'esm', target: 'node20' })
  return outfile
}

/** A node in a process of its own, and what has become of the events that it emitted. Killed with the test. */
export class NodeProcess {
  /** Map(number -> id), of those whose `emit` has resolved. */
  readonly resolved = new Map<number, string>()
  /** Map(number -> code), of those that were rejected. */
  readonly rejected = new Map<number, string>()
  readonly #process: ChildProcess
  /** Resolves when it has ended and everything that it had said is read. */
  readonly #ended: Promise<unknown>
  // Map(call -> who waits for its answer)
  readonly #calls = new Map<number, (answer: Answer) => void>()
  #next = 0

  constructor (t: Scope, program: string) {
    this.#process = spawn(process.execPath, ['--expose-gc', program], { stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'ipc'] })
    t.teardown(async () => { await this.kill() })
    const lines = createInterface(this.#process.stdio[3] as Readable)
    lines.on('line', line => { this.#read(line) })
    this.#ended = Promise.all([once(this.#process, 'exit'), once(lines, 'close')])
  }

  #read (line: string): void {
    if (line.startsWith(ANSWER)) {
      const answer = JSON.parse(line.slice(ANSWER.length)) as Answer
      this.#calls.get(answer.call)?.(answer)
    } else {
      const [outcome, number, text = ''] = line.split(' ')
      this[outcome as 'resolved' | 'rejected'].set(Number(number), text)
    }
  }

  /** Has it do something, and resolves to what that gives. */
  async call<Name extends keyof Calls> (name: Name, ...given: Parameters<Calls[Name]>): Promise<Awaited<ReturnType<Calls[Name]>>> {
    const call = this.#next++
    const answered = new Promise<Answer>(resolve => { this.#calls.set(call, resolve) })
    this.#process.send({ call, name, given } as unknown as Call)
    const ended = this.#ended.then((): Answer => ({ call, failed: 'the node has ended' }))
    const { value, failed } = await Promise.race([answered, ended])
    this.#calls.delete(call)
    if (failed !== undefined) throw new Error(`${name}: ${failed}`)
    return value as Awaited<ReturnType<Calls[Name]>>
  }

  async kill (): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#ended
  }
}
