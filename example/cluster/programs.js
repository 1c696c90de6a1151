import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * @import { ChildProcess } from 'node:child_process'
 * @import { AddressInfo } from 'node:net'
 */

export const HOST = '127.0.0.1'

// Where Debian has nginx; only root has these in the PATH.
const MORE_DIRECTORIES = ['/usr/sbin', '/usr/local/sbin']

/**
 * @param {readonly string[]} names
 * @throws saying what to install
 */
export function requirePrograms (names) {
  const missing = names.filter(name => find(name) === undefined)
  if (missing.length === 0) return
  throw new Error(`${missing.join(' and ')}: not installed. On Debian or Ubuntu: apt-get install nginx-light redis-server`)
}

/** @param {string} name */
function find (name) {
  const directories = [...(process.env.PATH ?? '').split(delimiter), ...MORE_DIRECTORIES]
  return directories.map(directory => join(directory, name)).find(path => existsSync(path))
}

/**
 * Starts a program, and waits until it listens on its port. It gets a process group of its own: Ctrl-C is not for it,
 * because all is to end in order.
 *
 * @param {string} name
 * @param {readonly string[]} args
 * @param {number} port
 * @returns {Promise<ChildProcess>}
 */
export async function startProgram (name, args, port) {
  const child = spawn(find(name) ?? name, args, { detached: true, stdio: ['ignore', 'ignore', 'inherit'] })
  endWithUs(child)
  while (!await isListening(port)) {
    if (hasEnded(child)) throw new Error(`${name} has ended`)
    await sleep(20)
  }
  return child
}

/** @param {number} port */
async function isListening (port) {
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

/**
 * Whatever happens to this process, but for SIGKILL: nothing is left behind.
 *
 * @param {ChildProcess} child
 */
export function endWithUs (child) {
  const kill = () => { child.kill('SIGKILL') }
  process.once('exit', kill)
  child.once('exit', () => { process.off('exit', kill) })
}

/** @param {ChildProcess} child */
export const hasEnded = ({ exitCode, signalCode }) => exitCode !== null || signalCode !== null

/**
 * Asks it to end, and waits until it has.
 *
 * @param {ChildProcess} child
 */
export async function stop (child) {
  if (hasEnded(child)) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

/**
 * So many ports that nobody listens on. All are held until the last is found, or one could be given twice.
 *
 * @param {number} count
 */
export async function freePorts (count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, HOST))
  await Promise.all(servers.map(async server => await once(server, 'listening')))
  const ports = servers.map(server => /** @type {AddressInfo} */ (server.address()).port)
  await Promise.all(servers.map(async server => await once(server.close(), 'close')))
  return ports
}
