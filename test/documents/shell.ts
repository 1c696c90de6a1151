import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import { readCommand } from '../../lib/bin/command.js'
import { read, root } from '../helpers/documents.js'

interface Ran { readonly status: number | null, readonly output: string }

/** Runs a command as it stands in a document. */
async function run (command: string, env: Readonly<Record<string, string>>): Promise<Ran> {
  const child = spawn('bash', ['-c', command], { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'ignore'] })
  const [output, [status]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number | null]>])
  return { status, output }
}

interface Command {
  readonly command: string
  /** What the comment behind it says, and the lines of comments after it. */
  readonly comments: string[]
}

/** The commands of a block. Lines that end with `\` go on. */
export function commands (code: string): Command[] {
  const found: Command[] = []
  for (const line of code.replaceAll(/\\\n\s*/g, '').split('\n').filter(line => line !== '')) {
    const [, command = '', comment] = /^(.*?)(?:(?:^|\s+)# ?(.*))?$/.exec(line) ?? []
    const comments = comment === undefined ? [] : [comment]
    const last = found.at(-1)
    if (command === '' && last !== undefined) last.comments.push(...comments)
    else found.push({ command, comments })
  }
  return found
}

/** Whether a command has shown what the document says: a status of HTTP, that there is no connection, or a text. */
function hasShown ({ status, output }: Ran, shows: string): boolean {
  if (shows === 'no connection') return status === 7
  const statuses = [...shows.matchAll(/\b[1-5]\d\d\b/g)].map(([code]) => code)
  if (/^\d/.test(shows) && !shows.startsWith('0{')) return statuses.includes(/^HTTP\/[\d.]+ (\d+)/.exec(output)?.[1] ?? '')
  return output.includes(shows)
}

/**
 * Runs the commands of a block with other addresses in them, one after the other.
 *
 * @param addresses what stands in the document, and what is to stand there
 */
export async function curls (t: Test, code: string, addresses: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}): Promise<void> {
  for (const { command, comments } of commands(code)) {
    const shows = comments.at(-1) ?? ''
    const [from, to] = Object.entries(addresses).find(([address]) => command.includes(address)) ?? []
    if (from === undefined || to === undefined) throw new Error(`no address is known: ${command}`)
    const ran = await run(command.replace(from, to).replace(/^curl /, 'curl -sS '), env)
    t.ok(hasShown(ran, shows), `${command} # ${shows}`, { found: ran })
  }
}

/** Whether a script's program, or what stands in its folder, knows a flag. */
function isKnown (flag: string, program: string): boolean {
  const folder = join(root, program, '..')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => /\.[jt]s$/.test(name))
  return files.some(name => readFileSync(join(folder, name), 'utf8').includes(flag.slice(2)))
}

const manifest = JSON.parse(read('package.json')) as { name: string, scripts: Record<string, string>, devDependencies: Record<string, string>, bin: Record<string, string> }

/** Whether there is what a command of npm asks for, which may take minutes or the registry: scripts and their flags, packages, programs. */
function checkOne (t: Test, command: string): void {
  const words = command.split(' ')
  const variables = words.splice(0, words.findIndex(word => !/^[A-Z_]+=/.test(word))).map(word => word.split('=')[0] ?? '')
  const [program, verb = '', ...rest] = words
  if (program === 'npm' && verb === 'install') {
    for (const name of rest.filter(word => !word.startsWith('-'))) t.ok(name === manifest.name || (name in manifest.devDependencies && existsSync(join(root, 'node_modules', name))), `${command}: ${name}`)
  } else if (program === 'npm' && (verb === 'init' || verb === 'pkg')) {
    t.ok(/^npm (init -y|pkg set type=module)$/.test(command), command)
  } else if (program === 'npm' && verb === 'ci') {
    t.ok(existsSync(join(root, 'package-lock.json')), command)
  } else if (program === 'npm') {
    const script = manifest.scripts[verb === 'run' ? rest[0] ?? '' : verb] ?? ''
    t.not(script, '', command)
    const file = /[\w./-]+\.[jt]s$/.exec(script)?.[0]
    for (const flag of rest.filter(word => word.startsWith('--') && word !== '--')) t.ok(file !== undefined && isKnown(flag, file), `${command}: ${flag}`)
  } else if (program === 'npx' && verb === manifest.name) {
    t.ok(manifest.name in manifest.bin, command)
    t.doesNotThrow(() => readCommand(rest), command)
  } else if (program === 'node') {
    t.ok(existsSync(join(root, verb)), command)
  } else if (program === 'npx' && verb === 'tsx') {
    const source = read(rest[0] ?? '')
    for (const variable of variables) t.ok(source.includes(variable), `${command}: ${variable}`)
  } else {
    t.fail(`nobody knows how to check: ${command}`)
  }
}

/** Checks commands that are too long to run here: see `.ci/run` for those that it runs. */
export function checks (t: Test, code: string): void {
  for (const { command } of commands(code)) for (const part of command.split(' && ')) checkOne(t, part.trim())
}
