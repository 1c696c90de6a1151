// Runs a command with another version of Node first in its PATH: `node .ci/on-node.js 24 npx tap test/stores`.
// Without a command: all tests that `npm test` runs, which wants `npm run build` before.
// The binary is a package of npm, which holds nothing else and has no script to run.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { run } from './helpers.js'

const USAGE = 'usage: node .ci/on-node.js VERSION [COMMAND...]'

const [version = '', ...words] = process.argv.slice(2)
const [command, ...args] = words.length === 0 ? ['npx', 'tap', '--disable-coverage'] : words
assert.match(version, /^\d+(\.\d+){0,2}$/, USAGE)

/** The folder of its binary, kept for the next time. */
async function nodeOf (version) {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  const folder = fileURLToPath(new URL(`../.tap/node/${version}/`, import.meta.url))
  const bin = join(folder, 'node_modules', name, 'bin')
  if (!existsSync(bin)) {
    mkdirSync(folder, { recursive: true })
    await run('npm', ['install', '--prefix', folder, '--no-save', '--no-package-lock', '--ignore-scripts', `${name}@${version}`], { cwd: folder })
  }
  return bin
}

const env = { ...process.env, PATH: `${await nodeOf(version)}${delimiter}${process.env.PATH}` }
const { stdout } = await run('node', ['--version'], { env })
console.log(`Node ${stdout.trim()}: ${[command, ...args].join(' ')}`)
const child = spawn(command, args, { env, stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => { child.kill(signal) })
const [code, signal] = await once(child, 'exit')
process.exitCode = code ?? 128 + constants.signals[signal]
