import proxyAddr from '@fastify/proxy-addr'
import ipaddr from 'ipaddr.js'
import { isIPv6 } from 'node:net'

/** Tells whether an address is among some. `hop` counts from the nearest peer, as in Fastify's `trustProxy`. */
export type AddressMatcher = (address: string, hop: number) => boolean

/**
 * Compiles IP addresses, CIDR blocks and the names `loopback`, `linklocal` and `uniquelocal`, with the library that
 * Fastify uses for `trustProxy`.
 *
 * @throws TypeError for what is none of these
 */
export const compileAddresses = (addresses: readonly string[]): AddressMatcher => proxyAddr.compile([...addresses])

export function areAddresses (addresses: readonly string[]): boolean {
  try {
    if (addresses.length > 0) compileAddresses(addresses)
    return true
  } catch {
    return false
  }
}

const WITH_PORT = /^(?:\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$/

/** An address as some proxies forward it, without the port: of `203.0.113.5:4711` and of `[2001:db8::1]:4711`. */
export function withoutPort (address: string): string {
  const [, v6, v4] = WITH_PORT.exec(address) ?? []
  return v6 ?? v4 ?? address
}

/** Groups of an IPv6 address that its network has: a /64, within which one client may take any address. */
const NETWORK_GROUPS = 4

/** What limits count a client's address as: an IPv4 address, or the /64 of an IPv6 address. */
export function countedAs (address: string): string {
  // Most are IPv4, and asked for with each connection: the library takes ten times as long to say so.
  if (!isIPv6(address)) return address
  const parsed = ipaddr.process(address)
  if (parsed.kind() === 'ipv4') return parsed.toString()
  return `${(parsed as ipaddr.IPv6).parts.slice(0, NETWORK_GROUPS).map(group => group.toString(16)).join(':')}::/64`
}

/** Items of a comma list, trimmed, without empty ones. */
export const splitList = (text: string): string[] =>
  text.split(',').map(item => item.trim()).filter(item => item !== '')
