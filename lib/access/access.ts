import proxyAddr from '@fastify/proxy-addr'
import type { FastifyBaseLogger } from 'fastify'
import { hash, timingSafeEqual } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { IncomingHttpHeaders } from 'node:http'
import { hostname } from 'node:os'
import { type AddressMatcher, compileAddresses, splitList, withoutPort } from './addresses.js'
import { errorName, errors } from '../errors.js'
import type { Catalogue } from '../events/catalogue.js'
import { EventBits, type EventSet, parseEventPatterns } from '../events/event-set.js'
import { HOST_TIMEOUT, inTime } from '../host/in-time.js'
import { withoutKey } from './key-text.js'
import { instanceName } from '../instances/names.js'
import type { Settings } from '../options.js'
import type { TrustProxy, VerifyAnswer, VerifyRequest } from '../types.js'

/** Longest key, in characters. Tokens of several kB exist; a longer key is probably an attack on `verify`. */
const MAX_KEY_LENGTH = 8192
// Headers that show that a proxy forwarded the request. Different proxies set different ones.
const FORWARDING_HEADERS: ReadonlySet<string> = new Set([
  'forwarded',
  'via',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-envoy-external-address',
  'cf-connecting-ip',
  'true-client-ip',
  'fly-client-ip',
  'fastly-client-ip'
])

const isForwardingHeader = (name: string): boolean => FORWARDING_HEADERS.has(name) || name.startsWith('x-forwarded')

/** The network side of a request: its address, its origin and its host. */
export interface Peer {
  /** The client's address, resolved through trusted proxies; `null` if there is none (a Unix socket). */
  readonly address: string | null
  /** True if an untrusted peer forwarded the request, so the address may not be the client's. */
  readonly forwarded: boolean
  /** The origin of a cross-site page that `cors` does not list by name; `null` for all other requests. */
  readonly foreignOrigin: string | null
  /** The host that the request names in its headers. */
  readonly host: string | undefined
}

/** The permissions of a caller. */
export interface Grant {
  /** True for the global key, and for an address that needs no key. */
  readonly global: boolean
  /** The instances that the caller may access; `null`: all. */
  readonly instances: ReadonlySet<string> | null
  readonly events: EventSet
  /** Whether the caller may publish over HTTP. */
  readonly publish: boolean
  /** SHA-256 of the caller's key, in base64; `null` if there is none. */
  readonly keyHash: string | null
  /** When the grant must be checked again, by `performance.now()`; `null`: never. */
  readonly expiresAt: number | null
}

/** The grant for an address that needs no key. One shared object, because there may be many such clients. */
const KEYLESS_GRANT: Grant = {
  global: true,
  instances: null,
  events: null,
  publish: true,
  keyHash: null,
  expiresAt: null
}

/**
 * The grant for Evolution's clients at the root in traditional mode: they join the root by default, and get nothing
 * there.
 */
export const SILENT_ROOT_GRANT: Grant = {
  global: false,
  instances: new Set(),
  events: null,
  publish: false,
  keyHash: null,
  expiresAt: null
}

/** The SHA-256 of a key, in base64. Keys are stored and compared in this form. */
export const hashKey = (key: string): string => hash('sha256', key.trim(), 'base64')

/** Reads a key from outside: trimmed; `null` if there is none. */
export function readKey (value: unknown): string | null {
  if (typeof value !== 'string') return null
  const key = value.trim()
  return key === '' ? null : key
}

/** The key of `Authorization: Bearer`. */
export function bearerKey (headers: IncomingHttpHeaders): string | null {
  return readKey(/^Bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1])
}

/**
 * The keys of a publishing request: those of the two key headers, and the password of `Authorization: Basic`, which a
 * URL can carry. The password may be percent-encoded. It is ignored in requests of web pages, because browsers send it
 * by themselves.
 *
 * @returns for each key, its possible spellings
 */
export function publisherKeys (headers: IncomingHttpHeaders): ReadonlyArray<readonly string[]> {
  const isPage = headers.origin !== undefined || headers['sec-fetch-site'] !== undefined
  const keys = [[readKey(headers.apikey)], [bearerKey(headers)], isPage ? [] : basicKeys(headers)]
  return keys.map(spellings => spellings.filter(key => key !== null)).filter(({ length }) => length > 0)
}

/** The password of `Authorization: Basic`, both as written and percent-decoded. */
function basicKeys ({ authorization }: IncomingHttpHeaders): Array<string | null> {
  const [, encoded] = /^Basic +(\S+)$/i.exec(authorization ?? '') ?? []
  if (encoded === undefined) return []
  const credentials = Buffer.from(encoded, 'base64').toString()
  const password = credentials.slice(credentials.indexOf(':') + 1)
  if (!credentials.includes(':')) return []
  const decoded = percentDecoded(password)
  return decoded === password ? [readKey(password)] : [readKey(password), readKey(decoded)]
}

function percentDecoded (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

type Caller = Pick<VerifyRequest, 'apikey' | 'instance' | 'address'>

/** The host that a request is for. HTTP/2 has it in `:authority`. */
const hostOf = (headers: IncomingHttpHeaders): string | undefined =>
  headers.host ?? (headers as { readonly ':authority'?: string })[':authority']

/** Decides who may connect and call. */
export class Access {
  readonly #settings: Settings
  readonly #catalogue: Catalogue
  readonly #log: FastifyBaseLogger
  /** Hashes of the global keys; `null`: the application's function returns the keys. */
  readonly #keyHashes: readonly Buffer[] | null
  readonly #publishHashes: readonly Buffer[]
  readonly #trusted: AddressMatcher
  readonly #allowed: (address: string) => boolean
  readonly #serverHost: string | null
  readonly #closing = withoutListenerLimit(new AbortController())
  #hinted = false

  constructor (settings: Settings, catalogue: Catalogue, log: FastifyBaseLogger) {
    this.#settings = settings
    this.#catalogue = catalogue
    this.#log = log
    this.#keyHashes = typeof settings.apikeys === 'function' ? null : hashKeys(settings.apikeys)
    this.#publishHashes = hashKeys(settings.publishKeys)
    this.#trusted = compileTrust(settings.trustProxy)
    this.#allowed = this.#compileAllowed(settings.allowedHosts)
    this.#serverHost = settings.serverUrl === null ? null : new URL(settings.serverUrl).hostname
  }

  #compileAllowed (hosts: readonly string[]): (address: string) => boolean {
    if (hosts.includes('*')) {
      this.#log.warn('allowedHosts is "*": anyone may read every instance and change its config without a key')
      return () => true
    }
    if (hosts.length === 0) return () => false
    const matches = compileAddresses(hosts)
    return address => matches(address, 0)
  }

  /**
   * Determines the origin and the address of a request.
   *
   * @param headers of the request
   * @param remoteAddress of the connection that carries it
   */
  peer (headers: IncomingHttpHeaders, remoteAddress: string | undefined): Peer {
    const request = { headers, socket: { remoteAddress }, connection: { remoteAddress } }
    const chain = proxyAddr.all(request as never, this.#trusted)
    const hops = proxyAddr.all(request as never).length
    const passedOn = hops > chain.length
    const header = Object.keys(headers).find(isForwardingHeader)
    // A proxy that forwards without X-Forwarded-For hides the client's address.
    const unread = header !== undefined && hops === 1
    if (header !== undefined && this.#settings.trustProxy === false) this.#hint(header)
    const address = chain.at(-1)
    return {
      address: address === undefined ? null : withoutPort(address),
      forwarded: passedOn || unread,
      foreignOrigin: this.#foreignOrigin(headers, remoteAddress),
      host: hostOf(headers)
    }
  }

  /**
   * A browser sends no `Origin` with requests whose response the page cannot read (an `<img>`, a `fetch` with
   * `no-cors`).
   */
  #foreignOrigin (headers: IncomingHttpHeaders, remoteAddress: string | undefined): string | null {
    const { origin } = headers
    if (origin === undefined) {
      const site = headers['sec-fetch-site']
      return site === 'cross-site' || site === 'same-site' ? `an unknown origin (Sec-Fetch-Site: ${site})` : null
    }
    return this.#isOwn(origin, headers, remoteAddress) || this.#isListed(origin) ? null : origin
  }

  /**
   * Like `peer`, for HTTP requests that do not belong to Socket.IO. Old browsers, and all browsers over plain HTTP,
   * send neither `Origin` nor `Sec-Fetch-Site` with a GET. The page's origin is then unknown, so neither a cookie nor
   * an address other than loopback is enough for access.
   */
  requestPeer (headers: IncomingHttpHeaders, remoteAddress: string | undefined): Peer {
    const peer = this.peer(headers, remoteAddress)
    const tells = headers.origin !== undefined || headers['sec-fetch-site'] !== undefined
    if (tells || !isBrowser(headers) || (peer.address !== null && isLoopback(peer.address))) return peer
    return { ...peer, foreignOrigin: 'an unknown origin' }
  }

  #hint (header: string): void {
    if (this.#hinted) return
    this.#hinted = true
    this.#log.warn(
      `a request came with the header ${header}, but trustProxy is false: behind a proxy, set trustProxy to its address, or every client counts as the proxy`
    )
  }

  /** `*` lists no origin by name, and a page must not be able to claim the origin `*`. */
  #isListed (origin: string): boolean {
    return origin !== '*' && this.#settings.cors?.includes(origin) === true
  }

  /** Whether a page was loaded from this server. Only the host is compared: a proxy may have terminated TLS. */
  #isOwn (origin: string, headers: IncomingHttpHeaders, remoteAddress: string | undefined): boolean {
    const forwarded = remoteAddress !== undefined && this.#trusted(remoteAddress, 0)
      ? headers['x-forwarded-host']
      : undefined
    // Of several values, the last is that of the nearest proxy. Fastify reads the header in the same way.
    const host = forwarded === undefined ? hostOf(headers) : String(forwarded).split(',').at(-1)?.trim()
    return URL.canParse(origin) && host !== undefined && new URL(origin).host === host.toLowerCase()
  }

  /**
   * Refuses pages from origins that `cors` does not list, if `cors` is set.
   *
   * @throws ORIGIN_NOT_ALLOWED
   */
  checkOrigin (peer: Peer): void {
    const { cors } = this.#settings
    if (peer.foreignOrigin === null || cors === null || cors.includes('*')) return
    throw new errors.ORIGIN_NOT_ALLOWED(peer.foreignOrigin.slice(0, 200))
  }

  /**
   * Determines the permissions of a caller.
   *
   * @param apikey the caller's key, trimmed, or `null`
   * @param instance the instance that the caller wants to access; `null` is the root
   * @param headers of the request, for `verify`
   * @throws UNAUTHORIZED, FORBIDDEN, VERIFY_FAILED, CLOSED
   */
  async authorize (
    apikey: string | null,
    instance: string | null,
    peer: Peer,
    headers: IncomingHttpHeaders
  ): Promise<Grant> {
    const keyHash = apikey === null ? null : hashKey(apikey)
    const request = { apikey, instance, address: peer.address, headers }
    if (keyHash !== null && await this.#isGlobalKey(keyHash, request)) return { ...KEYLESS_GRANT, keyHash }
    if (keyHash === null && this.#needsNoKey(peer)) return KEYLESS_GRANT
    // A publish key grants nothing but publishing, even if `verify` would accept it.
    if (keyHash !== null && isOneOf(keyHash, this.#publishHashes)) throw new errors.FORBIDDEN(placeOf(instance))
    const grant = await this.#ask(request, keyHash, peer)
    if (grant === false || (instance !== null && grant.instances?.has(instance) === false)) {
      if (apikey === null) throw new errors.UNAUTHORIZED()
      throw new errors.FORBIDDEN(placeOf(instance))
    }
    return grant
  }

  /**
   * Checks that a caller may publish over HTTP. Each key is tried until one is accepted.
   *
   * @param apikeys for each key, its possible spellings
   * @param instance the instance to publish for; `null`: not known yet
   * @throws UNAUTHORIZED when there is no key, or several and none is accepted; FORBIDDEN, VERIFY_FAILED, CLOSED
   */
  async authorizePublisher (
    apikeys: ReadonlyArray<readonly string[]>,
    instance: string | null,
    peer: Peer,
    headers: IncomingHttpHeaders
  ): Promise<Grant> {
    let isKnown = false
    let failure: Error | undefined
    for (const apikey of apikeys.length === 0 ? [null] : apikeys.flat()) {
      try {
        const grant = await this.#publisher(apikey, instance, peer, headers)
        if (grant.publish) return grant
        isKnown = true
      } catch (error) {
        const name = errorName(error)
        if (name === 'UNAUTHORIZED') throw error
        if (name !== 'FORBIDDEN') failure ??= error as Error
      }
    }
    if (failure !== undefined) throw failure
    if (apikeys.length > 1 && !isKnown) throw new errors.UNAUTHORIZED()
    throw new errors.FORBIDDEN(instance === null ? 'publishing' : `publishing for the instance "${instance}"`)
  }

  async #publisher (
    apikey: string | null,
    instance: string | null,
    peer: Peer,
    headers: IncomingHttpHeaders
  ): Promise<Grant> {
    const keyHash = apikey === null ? null : hashKey(apikey)
    if (keyHash === null || !isOneOf(keyHash, this.#publishHashes)) {
      return await this.authorize(apikey, instance, peer, headers)
    }
    return { ...KEYLESS_GRANT, global: false, keyHash }
  }

  async #isGlobalKey (keyHash: string, caller: Caller): Promise<boolean> {
    return isOneOf(keyHash, this.#keyHashes ?? await this.#askKeys(caller))
  }

  /** The global keys that are valid now. If the application's function fails, the caller gets VERIFY_FAILED. */
  async #askKeys (caller: Caller): Promise<readonly Buffer[]> {
    const { apikeys } = this.#settings
    if (typeof apikeys !== 'function') return []
    return await this.#askHost('apikey', caller, async () => keysOf(await apikeys()))
  }

  #needsNoKey (peer: Peer): boolean {
    if (this.#settings.allowedHosts.includes('*')) return true
    if (peer.address === null || peer.forwarded || peer.foreignOrigin !== null) return false
    return this.#allowed(peer.address) && (!isLoopback(peer.address) || !this.#isRebound(peer.host))
  }

  /**
   * Detects DNS rebinding: a page of another site whose host name resolves to this machine has the same origin as the
   * server. Only the host name of the request shows the attack.
   */
  #isRebound (host: string | undefined): boolean {
    if (host === undefined || !URL.canParse(`http://${host}`)) return false
    const name = new URL(`http://${host}`).hostname
    const own = name === 'localhost' || name.endsWith('.localhost') || name === hostname().toLowerCase() ||
      name === this.#serverHost
    return !own && !/^\[|^[\d.]+$/.test(name)
  }

  async #ask (request: VerifyRequest, keyHash: string | null, peer: Peer): Promise<Grant | false> {
    const { verify } = this.#settings
    const { apikey } = request
    if (verify === null || (apikey !== null && apikey.length > MAX_KEY_LENGTH)) return false
    // A cross-site page must send a key: the cookies of its request belong to the visitor, not to the page.
    if (apikey === null && peer.foreignOrigin !== null) return false
    return await this.#askHost(
      'verify',
      request,
      async () => this.#grantOf(await verify(withoutVisitors(request, peer)), keyHash)
    )
  }

  /**
   * Calls a function of the application for a caller.
   *
   * @throws VERIFY_FAILED, CLOSED
   */
  async #askHost<Answer> (
    option: 'apikey' | 'verify',
    { apikey, instance, address }: Caller,
    ask: () => Promise<Answer>
  ): Promise<Answer> {
    try {
      return await inTime(ask(), HOST_TIMEOUT, this.#closing.signal)
    } catch (failure) {
      if (this.#closing.signal.aborted) throw new errors.CLOSED()
      // The errors of HTTP clients often contain the whole request, and with it the key.
      const err = withoutKey(failure, apikey)
      this.#log.error({ err, instance, address }, `the option ${option} failed: the caller is refused with retry: true`)
      throw Object.assign(new errors.VERIFY_FAILED(), { cause: err })
    }
  }

  /** Aborts all calls of `verify` that are under way. */
  close (): void {
    this.#closing.abort()
  }

  #grantOf (answer: VerifyAnswer, keyHash: string | null): Grant | false {
    if (answer === false) return false
    if (answer === true) {
      return { global: false, instances: null, events: null, publish: false, keyHash, expiresAt: null }
    }
    // A `Response`, returned by mistake, has no own properties, and would count as an empty grant: access to
    // everything.
    if (!isPlainObject(answer)) {
      throw new TypeError('verify must answer true, false or { instances?, events?, ttl?, publish? }')
    }
    const { instances, events, ttl, publish = false, ...unknown } = answer
    const [key] = Object.keys(unknown)
    // An unknown key was probably meant as a restriction, so it must not be ignored.
    if (key !== undefined) {
      throw new TypeError(`verify may answer instances, events, ttl and publish, and answered "${key}"`)
    }
    if (typeof publish !== 'boolean') throw new TypeError('verify must answer true or false for publish')
    return {
      global: false,
      instances: instances === undefined ? null : new Set(instances.map(name => instanceName(name))),
      events: events === undefined ? null : this.#grantedEvents(events),
      publish,
      keyHash,
      expiresAt: ttl === undefined ? null : performance.now() + milliseconds(ttl)
    }
  }

  #grantedEvents (names: readonly string[]): EventSet {
    // In a grant an empty list means no events. In a filter it means all.
    if (names.length === 0) return new EventBits(this.#catalogue, [])
    return parseEventPatterns(this.#catalogue, names, name => this.#catalogue.unknown(name))
  }
}

/** The request for `verify`. For a cross-site page it has no cookies: they belong to the visitor, not to the page. */
function withoutVisitors (request: VerifyRequest, { foreignOrigin }: Peer): VerifyRequest {
  if (foreignOrigin === null) return request
  const { cookie: _, authorization, ...headers } = request.headers
  // Browsers send `Basic` credentials by themselves once the user has signed in. A page sets `Bearer` explicitly.
  const given = authorization !== undefined && bearerKey({ authorization }) !== null ? { authorization } : null
  return { ...request, headers: { ...headers, ...given } }
}

/**
 * Every browser sends this user agent, and a page cannot change it for resources that it loads without reading them.
 */
const isBrowser = (headers: IncomingHttpHeaders): boolean => headers['user-agent']?.startsWith('Mozilla/') === true

/** Compares with every key, so that the time taken does not depend on which key is similar. */
function isOneOf (keyHash: string, keyHashes: readonly Buffer[]): boolean {
  if (keyHashes.length === 0) return false
  const given = Buffer.from(keyHash, 'base64')
  return keyHashes.reduce((found, known) => timingSafeEqual(given, known) || found, false)
}

const placeOf = (instance: string | null): string =>
  instance === null ? 'the root namespace' : `the instance "${instance}"`

const hashKeys = (keys: readonly string[]): Buffer[] => keys.map(key => Buffer.from(hashKey(key), 'base64'))

/** @throws TypeError for a value that is not a key: no caller's key may be compared with it */
function keysOf (answer: unknown): Buffer[] {
  const keys: unknown[] = Array.isArray(answer) ? answer : [answer]
  if (!keys.every(isKey)) {
    throw new TypeError('the option apikey must answer a key or a list of keys, none of them blank')
  }
  return hashKeys(keys)
}

const isKey = (key: unknown): key is string => typeof key === 'string' && key.trim() !== ''

/** An invalid ttl must not become one that never expires. */
function milliseconds (ttl: number): number {
  if (typeof ttl === 'number' && ttl > 0 && Number.isFinite(ttl)) return ttl
  throw new TypeError('verify must answer a ttl of milliseconds, more than 0, or leave it out')
}

/** Removes Node's limit of ten listeners: each running check listens to the same abort signal. */
function withoutListenerLimit (controller: AbortController): AbortController {
  setMaxListeners(0, controller.signal)
  return controller
}

function isPlainObject (value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function compileTrust (trustProxy: TrustProxy): AddressMatcher {
  if (typeof trustProxy === 'function') return trustProxy
  if (typeof trustProxy === 'boolean') return () => trustProxy
  return compileAddresses(typeof trustProxy === 'string' ? splitList(trustProxy) : trustProxy)
}

const loopback = compileAddresses(['loopback'])
const isLoopback = (address: string): boolean => loopback(address, 0)
