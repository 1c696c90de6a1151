import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort } from './program.js'
import type { Scope } from './server.js'

/** Where to reach a server: the variables that PostgreSQL's clients read. */
export interface PostgresEnv extends Record<string, string> {
  readonly PGHOST: string
  readonly PGPORT: string
  readonly PGUSER: string
  readonly PGDATABASE: string
}

const DEBIANS = '/usr/lib/postgresql'
const USER = 'tester'

/** Where PostgreSQL's own programs are; Debian has them beside the PATH. */
const programs = [
  ...(process.env.PATH ?? '').split(delimiter),
  ...(existsSync(DEBIANS) ? readdirSync(DEBIANS).map(version => join(DEBIANS, version, 'bin')) : [])
].find(directory => ['initdb', 'postgres'].every(name => existsSync(join(directory, name))))

/** For the option `skip` of a test: `false`, or how to get what is missing. */
export const withoutPostgres: string | false = programs === undefined && 'there is no PostgreSQL: apt-get install postgresql (Debian), or put initdb and postgres on the PATH'

/** Who runs it: PostgreSQL refuses to be run by root. */
function unprivileged (): { uid: number, gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const users = readFileSync('/etc/passwd', 'utf8').split('\n').map(line => line.split(':'))
  const user = ['postgres', 'nobody'].map(wanted => users.find(([name]) => name === wanted)).find(found => found !== undefined)
  if (user === undefined) throw new Error('PostgreSQL is not run by root, and there is neither a user postgres nor nobody')
  return { uid: Number(user[2]), gid: Number(user[3]) }
}

/** A PostgreSQL server of its own on a free port of this machine, with an empty database. Ended and removed with the test. */
export async function startPostgres (t: Scope): Promise<PostgresEnv> {
  if (programs === undefined) throw new Error(String(withoutPostgres))
  const bin = dirname(realpathSync(join(programs, 'initdb')))
  const directory = mkdtempSync(join(tmpdir(), 'postgres-'))
  t.teardown(() => { rmSync(directory, { recursive: true, force: true }) })
  const user = unprivileged()
  if (user !== undefined) chownSync(directory, user.uid, user.gid)
  const options = { cwd: directory, env: { PATH: process.env.PATH, LC_ALL: 'C' }, ...user }

  const data = join(directory, 'data')
  const made = spawnSync(join(bin, 'initdb'), ['-D', data, '-U', USER, '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'], options)
  if (made.status !== 0) throw new Error(`initdb failed: ${String(made.error ?? made.stderr)}`)

  const port = String(await freePort())
  const settings = ['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories=', 'fsync=off'].flatMap(setting => ['-c', setting])
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...settings], { ...options, stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(server, 'exit')
  t.teardown(async () => {
    // Clients that are connected are not waited for.
    server.kill('SIGQUIT')
    await ended
  })
  const lines: string[] = []
  for await (const line of createInterface(server.stderr)) {
    lines.push(line)
    if (line.includes('ready to accept connections')) break
  }
  if (!lines.at(-1)?.includes('ready')) throw new Error(`PostgreSQL has ended:\n${lines.join('\n')}`)
  // Or it would wait for somebody who reads on.
  server.stderr.resume()
  return { PGHOST: '127.0.0.1', PGPORT: port, PGUSER: USER, PGDATABASE: 'postgres' }
}
