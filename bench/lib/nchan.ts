import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isListening } from '../../test/helpers/daemon.js'
import { freePort } from '../../test/helpers/program.js'

/** Where Debian has them. */
const NGINX = '/usr/sbin/nginx'
const MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so'
/** Of a second, in which the kernel counts CPU time. */
const TICKS = 100

/** How to get what is missing; `null`: nothing is. */
export const withoutNchan: string | null = existsSync(NGINX) && existsSync(MODULE)
  ? null
  : 'nchan is not measured: apt-get install nginx-light libnginx-mod-nchan'

/** nginx with nchan: events are published to `/pub`, and a WebSocket of `/sub` gets them. One process. */
export class Nchan {
  port = 0
  readonly #directory = mkdtempSync(join(tmpdir(), 'nchan-'))
  #process: ChildProcess | undefined

  async start (): Promise<void> {
    this.port = await freePort()
    const file = join(this.#directory, 'nginx.conf')
    writeFileSync(file, `
      load_module ${MODULE};
      daemon off;
      master_process off;
      pid nginx.pid;
      error_log stderr crit;
      events { worker_connections 1024; }
      http {
        access_log off;
        keepalive_requests 1000000;
        nchan_max_reserved_memory 256M;
        client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
        server {
          listen 127.0.0.1:${this.port};
          location /pub { nchan_publisher; nchan_channel_id acme; nchan_message_buffer_length 10000; client_body_buffer_size 64k; }
          location /sub { nchan_subscriber websocket; nchan_channel_id acme; }
        }
      }`)
    this.#process = spawn(NGINX, ['-p', this.#directory, '-c', file], { stdio: ['ignore', 'ignore', 'inherit'] })
    while (!await isListening(this.port)) await sleep(20)
  }

  /** Of its process, in µs. */
  cpu (): number {
    const stat = readFileSync(`/proc/${String(this.#process?.pid)}/stat`, 'utf8')
    const [user = 0, system = 0] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 13).map(Number)
    return (user + system) / TICKS * 1e6
  }

  async end (): Promise<void> {
    const ended = this.#process === undefined ? [] : once(this.#process, 'exit')
    this.#process?.kill('SIGKILL')
    await ended
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
