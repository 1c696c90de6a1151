import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { delimiter, join } from 'node:path'
import { untilNext } from './latch.js'
import type { Scope } from './server.js'

const HOST = '127.0.0.1'
/** Where Debian has servers; only root has these in the PATH. */
const MORE_DIRECTORIES = ['/usr/sbin', '/usr/local/sbin']

/** Where a program is; `undefined` where it is not installed. */
export function findProgram (name: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), ...MORE_DIRECTORIES]
  return directories.map(directory => join(directory, name)).find(path => existsSync(path))
}

// A test that takes too long is ended without its teardown.
const running = new Set<ChildProcess>()
process.once('exit', () => { for (const child of running) child.kill('SIGKILL') })

interface Setup {
  /** Where it listens. */
  readonly port: number
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

/**
 * Starts a server that is one process and stays in front. Resolves when it listens; killed with the test.
 *
 * @throws with what it has said, when it ends before
 */
export async function startDaemon (t: Scope, command: string, args: readonly string[], { port, cwd, env = {} }: Setup): Promise<void> {
  const child = spawn(command, args, { cwd, env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'ignore', 'pipe'] })
  running.add(child)
  const ended = once(child, 'exit').then(() => running.delete(child))
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => { said = `${said}${text}`.slice(-4000) })
  for (let times = 0; !await isListening(port); times++) {
    if (!running.has(child)) throw new Error(`${command} has ended:\n${said}`)
    await untilNext(times)
  }
}

/** Whether somebody listens on a port of this machine. */
export async function isListening (port: number): Promise<boolean> {
  const socket = connect(port, HOST)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
