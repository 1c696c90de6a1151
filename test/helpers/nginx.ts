import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram, startDaemon } from './daemon.js'
import type { Scope } from './server.js'

const program = findProgram('nginx')

/** For the option `skip` of a test: `false`, or how to get what is missing. */
export const withoutNginx: string | false = program === undefined && 'there is no nginx: apt-get install nginx-light (Debian), or put nginx on the PATH'

/** What a system has around a file of `conf.d`. One process, so that none is left when it is killed. */
const around = (file: string): string => `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  include ${file};
}
`

/** A directory for a configuration and what it names. Removed with the test. */
export function nginxDirectory (t: Scope): string {
  const directory = mkdtempSync(join(tmpdir(), 'nginx-'))
  t.teardown(() => { rmSync(directory, { recursive: true, force: true }) })
  return directory
}

/** Starts nginx with a whole configuration, as {@link startNginx} does. @param configuration its `http { … }` stands at its end */
export async function startWholeNginx (t: Scope, directory: string, configuration: string, port: number): Promise<void> {
  const [, http = ''] = /^http \{\n([^]*)^\}/m.exec(configuration) ?? []
  await startNginx(t, directory, http, port)
}

/**
 * Starts nginx with a file as it would stand in `conf.d`, after `nginx -t` has found it right.
 *
 * @param directory where it runs: paths in the file may be relative to it
 * @param port where the file has it listen
 */
export async function startNginx (t: Scope, directory: string, configuration: string, port: number): Promise<void> {
  if (program === undefined) throw new Error(String(withoutNginx))
  const file = join(directory, 'events.conf')
  const main = join(directory, 'nginx.conf')
  writeFileSync(file, configuration)
  writeFileSync(main, around(file))
  const checked = spawnSync(program, ['-p', directory, '-c', main, '-t'], { encoding: 'utf8' })
  if (checked.status !== 0 || checked.stderr.includes('[warn]')) throw new Error(`nginx -t: ${checked.stderr}`)
  await startDaemon(t, program, ['-p', directory, '-c', main], { port, cwd: directory })
}
