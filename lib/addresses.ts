import proxyAddr from '@fastify/proxy-addr'

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

/** Items of a comma list, trimmed, without empty ones. */
export const splitList = (text: string): string[] =>
  text.split(',').map(item => item.trim()).filter(item => item !== '')
