import { HOST, startProgram } from './programs.js'

/**
 * Starts a Redis that keeps what it has confirmed, even when it is killed: every write is on the disk before the answer
 * (`appendfsync always`). With `everysec`, the default, it is faster and may lose its last second.
 *
 * @param {number} port
 * @param {string} directory
 */
export async function startRedis (port, directory) {
  const settings = { bind: HOST, port, dir: directory, appendonly: 'yes', appendfsync: 'always', save: '' }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  return await startProgram('redis-server', args, port)
}
