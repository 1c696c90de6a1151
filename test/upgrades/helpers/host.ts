import { createHash } from 'node:crypto'
import dns from 'node:dns'
import { once } from 'node:events'
import { connect as connectTcp, type AddressInfo, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { setTimeout as wait } from 'node:timers/promises'
import Fastify, { type FastifyInstance } from 'fastify'
import wsEvents, { type WsEventsOptions } from '../../../lib/index.js'
import type { Certificate } from '../../access/certificate.js'
import type { Scope } from '../../helpers/server.js'

/** `listen({ host: 'localhost' })` binds these by one server each. */
export const ADDRESSES = ['127.0.0.1', '127.0.0.2'] as const
/** How long the slow route takes, in ms: longer than Engine.IO lets an upgrade wait. */
export const SLOW = 3000

/** What a route has got. */
export interface Got {
  readonly method: string
  readonly length: number
  readonly sha256: string
  readonly address: string
}

export interface Host {
  readonly fastify: FastifyInstance
  readonly port: number
  /** What every call of a route has got, in order. */
  readonly calls: Got[]
}

interface Setup {
  readonly certificate?: Certificate
  /** `false`: without HTTP/2 over TLS. */
  readonly http2?: boolean
  readonly options?: WsEventsOptions
  /** What the host does before, and after it registers the plugin. */
  readonly before?: (fastify: FastifyInstance) => unknown
  readonly after?: (fastify: FastifyInstance) => unknown
}

export const sha256 = (body: string | Buffer): string => createHash('sha256').update(body).digest('hex')

/** An application with routes of its own, on both addresses of localhost. Closed with the test. */
export async function startHost (t: Scope, { certificate, http2, options, before, after }: Setup = {}): Promise<Host> {
  const https = certificate === undefined ? null : { key: certificate.key, cert: certificate.ca, ...(http2 === true && { allowHTTP1: true }) }
  const fastify = Fastify({ https, ...(http2 === true && { http2 }), bodyLimit: 8_000_000 } as object) as unknown as FastifyInstance
  t.teardown(async () => { await fastify.close() })
  const calls: Got[] = []
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => { done(null, body) })
  const got = (method: string, body: unknown, address: string): Got => {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0)
    const call = { method, length: bytes.length, sha256: sha256(bytes), address }
    calls.push(call)
    return call
  }
  fastify.route({ method: ['GET', 'PUT', 'POST'], url: '/host', handler: async ({ method, body, ip }) => got(method, body, ip) })
  fastify.route({
    method: ['GET', 'POST'],
    url: '/host/slow',
    handler: async ({ method, body, ip }) => {
      await wait(SLOW)
      return got(method, body, ip)
    }
  })
  await before?.(fastify)
  await fastify.register(wsEvents, { env: false, defaultConfig: { enabled: true }, ...options })
  await after?.(fastify)
  await listenOnBoth(fastify)
  const { port } = fastify.server.address() as AddressInfo
  return { fastify, port, calls }
}

async function listenOnBoth (fastify: FastifyInstance): Promise<void> {
  const { lookup } = dns
  const addresses = ADDRESSES.map(address => ({ address, family: 4 }))
  dns.lookup = ((host: string, options: unknown, done: (...args: unknown[]) => void) => {
    if (host === 'localhost' && (options as { all?: boolean }).all === true) done(null, addresses)
    else lookup(host, options as never, done as never)
  }) as typeof lookup
  try {
    await fastify.listen({ port: 0, host: 'localhost' })
  } finally {
    dns.lookup = lookup
  }
}

/** A connection that a test writes to by hand. */
export class RawConnection {
  text = ''
  readonly socket: Socket
  readonly closed: Promise<unknown>
  readonly #ended: Promise<unknown>
  readonly #waiting = new Set<() => void>()

  constructor (t: Scope, port: number, { host = ADDRESSES[0], ca }: { host?: string, ca?: string | undefined } = {}) {
    this.socket = ca === undefined ? connectTcp({ port, host, allowHalfOpen: true }) : connectTls({ port, host, ca, checkServerIdentity: () => undefined })
    this.socket.setEncoding('latin1')
    this.socket.on('data', (text: string) => {
      this.text += text
      for (const check of this.#waiting) check()
    })
    // Being reset is an end, too.
    this.socket.on('error', () => {})
    this.closed = once(this.socket, 'close')
    this.#ended = new Promise(resolve => { this.socket.once('end', resolve) })
    t.teardown(() => { this.socket.destroy() })
  }

  /** Resolves when the server has closed its side, and then this one is closed too. */
  async end (): Promise<void> {
    await Promise.race([this.#ended, this.closed])
    this.socket.end()
    await this.closed
  }

  /** Resolves to the bodies of so many answers, which are JSON. */
  async answers (count: number): Promise<Array<{ status: number, body: unknown, headers: string }>> {
    const enough = new Promise<void>(resolve => {
      const check = () => { if (this.#answers().length >= count) resolve() }
      this.#waiting.add(check)
      check()
    })
    const early = this.closed.then(() => { if (this.#answers().length < count) throw new Error(`closed after ${JSON.stringify(this.text)}`) })
    await Promise.race([enough, early])
    return this.#answers()
  }

  #answers (): Array<{ status: number, body: unknown, headers: string }> {
    const found = []
    for (let rest = this.text; ;) {
      const [head, status, headers] = /^HTTP\/1\.1 (\d+)([^]*?)\r\n\r\n/.exec(rest) ?? []
      if (head === undefined) return found
      rest = rest.slice(head.length)
      if (status === '100') continue
      const length = Number(/content-length: (\d+)/i.exec(headers ?? '')?.[1] ?? 0)
      if (rest.length < length) return found
      found.push({ status: Number(status), headers: headers ?? '', body: length === 0 ? null : JSON.parse(rest.slice(0, length)) as unknown })
      rest = rest.slice(length)
    }
  }
}

/** The head of a request that offers to go on in HTTP/2, as curl writes it. */
export const offerOf = (method: string, path: string, ...headers: string[]): string =>
  [`${method} ${path} HTTP/1.1`, 'Host: localhost', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA', ...headers, '', ''].join('\r\n')
