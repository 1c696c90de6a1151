/** Loads `.env` from the current directory. A variable that is set already wins. */
export function loadEnv (): void {
  try {
    process.loadEnvFile()
  } catch (err) {
    // No file is fine: every variable has a default.
    if ((err as NodeJS.ErrnoException).code !== 'ENOENT') throw err
  }
}

/** A variable's value. An empty one counts as unset, as in the plugin: `.env.example` has some. */
function variable (name: string): string | undefined {
  return process.env[name]?.trim() || undefined
}

/** Where the server listens. */
export function listenAddress (): { host: string, port: number } {
  // A port that is no number is left to `listen`, which knows what a port is.
  return { host: variable('HOST') ?? 'localhost', port: Number(variable('PORT') ?? 8080) }
}

/** Who needs a key: only the variables tell, so only whether they are set is of interest here. */
export function accessSet (): { key: boolean, allowedHosts: boolean } {
  return {
    key: variable('AUTHENTICATION_API_KEY') !== undefined,
    allowedHosts: variable('WEBSOCKET_ALLOWED_HOSTS') !== undefined
  }
}

/** Where the client connects, and with which key. By default it is the server of the same `.env`. */
export function clientTarget (): { url: string, apikey: string | undefined } {
  const { host, port } = listenAddress()
  const url = variable('WS_URL') ?? serverUrl(host, port)
  return { url: url.replace(/\/+$/, ''), apikey: variable('WS_APIKEY') ?? variable('AUTHENTICATION_API_KEY') }
}

/** The URL by which a client on this machine reaches a server that listens there. */
export function serverUrl (host: string, port: number): string {
  // "Every network" is an address to listen on, and none to connect to.
  if (host === '0.0.0.0' || host === '::') return `http://localhost:${port}`
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
