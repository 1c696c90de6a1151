import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export const HOST = '127.0.0.1'

// Where Debian has nginx; only root has these in the PATH.
const MORE_DIRECTORIES = ['/usr/sbin', '/usr/local/sbin']

/** @throws saying what to install */
export function requirePrograms (names: readonly string[]): void {
  const missing = names.filter(name => find(name) === undefined)
  if (missing.length === 0) return
  throw new Error(`${missing.join(' and ')}: not installed. On Debian or Ubuntu: apt-get install nginx-light redis-server`)
}

function find (name: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), ...MORE_DIRECTORIES]
  return directories.map(directory => join(directory, name)).find(path => existsSync(path))
}

/**
 * Starts a program, and waits until it listens on its port. It gets a process group of its own: Ctrl-C is not for it,
 * because all is to end in order.
 */
export async function startProgram (name: string, args: readonly string[], port: number): Promise<ChildProcess> {
  const child = spawn(find(name) ?? name, args, { detached: true, stdio: ['ignore', 'ignore', 'inherit'] })
  endWithUs(child)
  while (!await isListening(port)) {
    if (hasEnded(child)) throw new Error(`${name} has ended`)
    await sleep(20)
  }
  return child
}

async function isListening (port: number): Promise<boolean> {
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

/** Whatever happens to this process, but for SIGKILL: nothing is left behind. */
export function endWithUs (child: ChildProcess): void {
  const kill = (): void => { child.kill('SIGKILL') }
  process.once('exit', kill)
  child.once('exit', () => { process.off('exit', kill) })
}

export const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null

/** Asks it to end, and waits until it has. */
export async function stop (child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

/** So many ports that nobody listens on. All are held until the last is found, or one could be given twice. */
export async function freePorts (count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, HOST))
  await Promise.all(servers.map(async server => await once(server, 'listening')))
  const ports = servers.map(server => (server.address() as AddressInfo).port)
  await Promise.all(servers.map(async server => await once(server.close(), 'close')))
  return ports
}
