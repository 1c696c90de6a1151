import type { ChildProcess } from 'node:child_process'
import { HOST, startProgram } from './programs.js'

/**
 * Starts a Redis that keeps what it has confirmed, even when it is killed: every write is on the disk before the answer
 * (`appendfsync always`). With `everysec`, the default, it is faster and may lose its last second.
 */
export async function startRedis (port: number, directory: string): Promise<ChildProcess> {
  const settings = { bind: HOST, port, dir: directory, appendonly: 'yes', appendfsync: 'always', save: '' }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  return await startProgram('redis-server', args, port)
}
