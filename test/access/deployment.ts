import { join } from 'node:path'
import { caddyDirectory, startCaddy } from '../helpers/caddy.js'
import { block, read } from '../helpers/documents.js'
import { nginxDirectory, startNginx } from '../helpers/nginx.js'
import { freePort } from '../helpers/program.js'
import type { Scope } from '../helpers/server.js'
import { type Certificate, makeCertificate } from './certificate.js'

export const DEPLOYMENT = read('docs/deployment.md')

/** Where a proxy is reached, and what it keeps. */
export interface DeployedProxy {
  /** `https://127.0.0.1:PORT`, or `http:` where it speaks no TLS. */
  readonly url: string
  readonly certificate: Certificate
  readonly accessLog: string
  /** Where it tells of what failed. */
  readonly errorLog: string
}

/** A configuration with other values in it. @throws when one to replace is not there */
export function withValues (text: string, values: Readonly<Record<string, string>>): string {
  return Object.entries(values).reduce((changed, [from, to]) => {
    if (!changed.includes(from)) throw new Error(`the configuration has no "${from}"`)
    return changed.replaceAll(from, to)
  }, text)
}

/** The configurations as they stand in the document. */
export const nginxDocumented = (): string => block(DEPLOYMENT, 'nginx')
export const caddyDocumented = (): string => block(DEPLOYMENT, 'caddyfile')

interface Setup {
  /** What else is to be changed. */
  readonly change?: (configuration: string) => string
}

interface NginxSetup extends Setup {
  /** Whether it speaks TLS; a crowd is served in a third of the time without. */
  readonly tls?: boolean
}

/**
 * Starts nginx before a server, as the documents configure it.
 *
 * @param port of the server
 */
export async function deployNginx (t: Scope, port: number, { change = text => text, tls = true }: NginxSetup = {}): Promise<DeployedProxy> {
  const directory = nginxDirectory(t)
  const certificate = makeCertificate(directory)
  const listens = await freePort()
  const [accessLog, errorLog] = [join(directory, 'access.log'), join(directory, 'error.log')]
  const configuration = withValues(change(nginxDocumented()), {
    'listen 443 ssl': `listen 127.0.0.1:${listens}${tls ? ' ssl' : ''}`,
    '/etc/ssl/events.example.com/fullchain.pem': certificate.certFile,
    '/etc/ssl/events.example.com/privkey.pem': certificate.keyFile,
    'server_name events.example.com': 'server_name 127.0.0.1',
    '/var/log/nginx/events.access.log': accessLog,
    '/var/log/nginx/events.error.log': errorLog,
    '127.0.0.1:8080': `127.0.0.1:${port}`
  })
  await startNginx(t, directory, configuration, listens)
  return { url: `${tls ? 'https' : 'http'}://127.0.0.1:${listens}`, certificate, accessLog, errorLog }
}

/** Starts Caddy before a server, as the documents configure it. It gets a certificate, because it cannot ask for one here. */
export async function deployCaddy (t: Scope, port: number, { change = text => text }: Setup = {}): Promise<DeployedProxy> {
  const directory = caddyDirectory(t)
  const certificate = makeCertificate(directory)
  const listens = await freePort()
  const [accessLog, errorLog] = [join(directory, 'access.log'), join(directory, 'own.log')]
  const caddyfile = withValues(change(caddyDocumented()), {
    // The first line of the global options, and of the site.
    "{\n\t# Caddy's own log": "{\n\tadmin off\n\tauto_https disable_redirects\n\t# Caddy's own log",
    '\tlog {\n\t\tformat': `\tlog {\n\t\toutput file ${errorLog}\n\t\tformat`,
    'events.example.com {': `https://127.0.0.1:${listens} {\n\tbind 127.0.0.1\n\ttls ${certificate.certFile} ${certificate.keyFile}`,
    '/var/log/caddy/events.access.log': accessLog,
    '127.0.0.1:8080': `127.0.0.1:${port}`
  })
  await startCaddy(t, directory, caddyfile, listens)
  return { url: `https://127.0.0.1:${listens}`, certificate, accessLog, errorLog }
}
