import { type ChildProcess, fork, type Serializable } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Answer, Api } from './rpc.js'

const children = new Set<ChildProcess>()

function killAll (): void {
  for (const child of children) child.kill('SIGKILL')
}

process.on('exit', killAll)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => { process.exit(1) })

interface Waiter {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
}

/** A program of the bench in a process of its own. */
export class Child<Methods extends Api> {
  readonly #process: ChildProcess
  readonly #waiters = new Map<number, Waiter>()
  #calls = 0

  /**
   * @param program beside run.ts
   * @param nodeOptions for this process alone
   */
  constructor (program: string, nodeOptions: readonly string[] = []) {
    const path = fileURLToPath(new URL(`../${program}`, import.meta.url))
    this.#process = fork(path, [], { execArgv: [...process.execArgv, ...nodeOptions], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    children.add(this.#process)
    this.#process.on('message', (answer: Answer) => { this.#settle(answer) })
    this.#process.once('exit', code => {
      children.delete(this.#process)
      for (const { reject } of this.#waiters.values()) reject(new Error(`${program} ended with ${code}`))
      this.#waiters.clear()
    })
  }

  #settle ({ id, result, error }: Answer): void {
    const waiter = this.#waiters.get(id)
    this.#waiters.delete(id)
    if (error === undefined) waiter?.resolve(result)
    else waiter?.reject(new Error(error))
  }

  async call<Name extends keyof Methods & string> (method: Name, params: Parameters<Methods[Name]>[0]): Promise<Awaited<ReturnType<Methods[Name]>>> {
    const id = ++this.#calls
    return await new Promise<Awaited<ReturnType<Methods[Name]>>>((resolve, reject) => {
      this.#waiters.set(id, { resolve: resolve as Waiter['resolve'], reject })
      this.#process.send({ id, method, params } as Serializable)
    })
  }

  /** Ends it; its profile, if there is one, is written before. */
  async end (): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = new Promise<void>(resolve => { this.#process.once('exit', () => { resolve() }) })
    this.#process.disconnect()
    const timer = setTimeout(() => { this.#process.kill('SIGKILL') }, 5000)
    await ended
    clearTimeout(timer)
  }
}
