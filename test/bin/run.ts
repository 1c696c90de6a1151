import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { folder, root } from '../helpers/documents.js'
import { Program } from '../helpers/program.js'
import type { Scope } from '../helpers/server.js'

/** What `npx fastify-ws-events` runs, as `npm test` has built it. */
export const BIN = join(root, 'dist/bin/index.js')

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs it to its end, in a folder. */
export async function runToEnd (cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return await new Promise(resolve => {
    execFile(process.execPath, [BIN, ...args], { cwd, env: { PATH: process.env.PATH, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

export interface Demo {
  readonly program: Program
  readonly output: string
  /** Where it listens. */
  readonly url: string
}

/** Starts the server in an empty folder, at any free port; resolves when it has printed what to do. */
export async function startDemo (t: Scope, env: NodeJS.ProcessEnv = {}): Promise<Demo> {
  const program = new Program(t, process.execPath, [BIN, '--port', '0'], { cwd: folder(t, []), env })
  await program.printed(lines => lines.some(line => line.startsWith('URL, ') || line.startsWith('To change that')))
  const output = program.lines.join('\n')
  return { program, output, url: /http:\/\/localhost:\d+/.exec(output)?.[0] ?? '' }
}
