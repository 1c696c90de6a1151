import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram, startDaemon } from './daemon.js'
import type { Scope } from './server.js'

const program = findProgram('caddy')

/** For the option `skip` of a test: `false`, or how to get what is missing. */
export const withoutCaddy: string | false = program === undefined && 'there is no Caddy: apt-get install caddy (Debian), or put caddy on the PATH'

/** A directory for a configuration and what it names. Removed with the test. */
export function caddyDirectory (t: Scope): string {
  const directory = mkdtempSync(join(tmpdir(), 'caddy-'))
  t.teardown(() => { rmSync(directory, { recursive: true, force: true }) })
  return directory
}

/**
 * Starts Caddy with a Caddyfile, after `caddy validate` has found it right.
 *
 * @param directory where it runs, and keeps all that it keeps
 * @param port where the file has it listen
 */
export async function startCaddy (t: Scope, directory: string, caddyfile: string, port: number): Promise<void> {
  if (program === undefined) throw new Error(String(withoutCaddy))
  const file = join(directory, 'Caddyfile')
  writeFileSync(file, caddyfile)
  const env = { HOME: directory, XDG_DATA_HOME: join(directory, 'data'), XDG_CONFIG_HOME: join(directory, 'config') }
  const args = ['--config', file, '--adapter', 'caddyfile']
  const checked = spawnSync(program, ['validate', ...args], { encoding: 'utf8', cwd: directory, env })
  if (checked.status !== 0) throw new Error(`caddy validate: ${checked.stderr}`)
  await startDaemon(t, program, ['run', ...args], { port, cwd: directory, env })
}
