import { Failure } from './failure.js'

/** Loads `.env` from the current directory, if it is there. A variable that is set already wins. */
export function loadEnv (): void {
  try {
    process.loadEnvFile()
  } catch (error) {
    // No file is fine: every variable has a default.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** A variable's value. An empty one counts as unset, as in the plugin: `.env.example` has some. */
export const variable = (name: string): string | undefined => process.env[name]?.trim() || undefined

export interface Address {
  readonly host: string
  readonly port: number
}

/**
 * @param port that was given; `undefined`: the variable's
 * @param host where the variable says nothing
 * @throws Failure
 */
export function listenAddress (port: number | undefined, host = 'localhost'): Address {
  const text = variable('PORT') ?? '8080'
  if (port === undefined && (!/^\d+$/.test(text) || Number(text) > 65_535)) {
    throw new Failure('usage', `PORT must be a number from 0 to 65535, got "${text}".`)
  }
  return { host: variable('HOST') ?? host, port: port ?? Number(text) }
}

/** Who needs a key: only whether the variables are set is of interest. */
export function accessSet (): { key: boolean, allowedHosts: boolean } {
  return {
    key: variable('AUTHENTICATION_API_KEY') !== undefined,
    allowedHosts: variable('WEBSOCKET_ALLOWED_HOSTS') !== undefined
  }
}

/** The URL by which a client on this machine reaches a server that listens there. */
export function serverUrl ({ host, port }: Address): string {
  // "Every network" is an address to listen on, and none to connect to.
  if (host === '0.0.0.0' || host === '::') return `http://localhost:${port}`
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
