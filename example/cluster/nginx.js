import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startProgram } from './programs.js'

/** The ports that `nginx.conf` has. */
const PORT = 8080
const NODE_PORTS = [3001, 3002, 3003]

/**
 * Starts nginx by `nginx.conf`, with other ports.
 *
 * @param {number} port
 * @param {readonly number[]} nodePorts
 * @param {string} directory
 */
export async function startNginx (port, nodePorts, directory) {
  const file = join(directory, 'nginx.conf')
  writeFileSync(file, configuration(port, nodePorts))
  return await startProgram('nginx', ['-p', directory, '-c', file], port)
}

/**
 * @param {number} port
 * @param {readonly number[]} nodePorts
 */
function configuration (port, nodePorts) {
  const text = readFileSync(new URL('nginx.conf', import.meta.url), 'utf8')
  const ports = new Map([[PORT, port], ...NODE_PORTS.map((example, index) => /** @type {const} */ ([example, nodePorts[index]]))])
  return text.replace(/127\.0\.0\.1:(\d+)/g, (address, example) => `127.0.0.1:${ports.get(Number(example)) ?? example}`)
}
