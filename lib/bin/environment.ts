import { Failure } from './failure.js'

/** Loads `.env` from the current directory, if it exists. Variables that are already set take precedence. */
export function loadEnv (): void {
  try {
    process.loadEnvFile()
  } catch (error) {
    // The file is optional: every variable has a default.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** A variable's value. An empty variable counts as unset, as in the plugin, because `.env.example` contains some. */
export const variable = (name: string): string | undefined => process.env[name]?.trim() || undefined

export interface Address {
  readonly host: string
  readonly port: number
}

/**
 * The address to listen on.
 *
 * @param port the port that was given; `undefined`: that of the environment
 * @param host default for the variable `HOST`
 * @throws Failure
 */
export function listenAddress (port: number | undefined, host = 'localhost'): Address {
  const text = variable('PORT') ?? '8080'
  if (port === undefined && (!/^\d+$/.test(text) || Number(text) > 65_535)) {
    throw new Failure('usage', `PORT must be a number from 0 to 65535, got "${text}".`)
  }
  return { host: variable('HOST') ?? host, port: port ?? Number(text) }
}

/** Which variables about access are set. Their values are not returned. */
export function accessSet (): { key: boolean, allowedHosts: boolean } {
  return {
    key: variable('AUTHENTICATION_API_KEY') !== undefined,
    allowedHosts: variable('WEBSOCKET_ALLOWED_HOSTS') !== undefined
  }
}

/** The URL by which a client on this machine reaches a server at an address. */
export function serverUrl ({ host, port }: Address): string {
  // A client cannot connect to the address that means all networks.
  if (host === '0.0.0.0' || host === '::') return `http://localhost:${port}`
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
