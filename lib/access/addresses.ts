import proxyAddr from '@fastify/proxy-addr'
import ipaddr from 'ipaddr.js'
import { isIPv6 } from 'node:net'

/**
 * Tells whether an address is in a list of addresses. `hop` counts proxies from the nearest one, as in Fastify's
 * `trustProxy`.
 */
export type AddressMatcher = (address: string, hop: number) => boolean

/**
 * Compiles IP addresses, CIDR blocks and the names `loopback`, `linklocal` and `uniquelocal`. It uses the same library
 * as Fastify's `trustProxy`.
 *
 * @throws TypeError for any other text
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

/** Removes the port that some proxies forward with an address: `203.0.113.5:4711`, `[2001:db8::1]:4711`. */
export function withoutPort (address: string): string {
  const [, v6, v4] = WITH_PORT.exec(address) ?? []
  return v6 ?? v4 ?? address
}

/** 16-bit groups in the network part of an IPv6 address: a /64, of which one client may use any address. */
const NETWORK_GROUPS = 4

/** The unit by which limits count addresses: an IPv4 address, or the /64 network of an IPv6 address. */
export function countedAs (address: string): string {
  // Fast path for IPv4. The library takes ten times as long, and this runs for each connection.
  if (!isIPv6(address)) return address
  const parsed = ipaddr.process(address)
  if (parsed.kind() === 'ipv4') return parsed.toString()
  return `${(parsed as ipaddr.IPv6).parts.slice(0, NETWORK_GROUPS).map(group => group.toString(16)).join(':')}::/64`
}

/** Items of a comma list, trimmed, without empty ones. */
export const splitList = (text: string): string[] =>
  text.split(',').map(item => item.trim()).filter(item => item !== '')
