/** Loads `.env` from the current directory. A variable that is set already wins. */
export function loadEnv () {
  try {
    process.loadEnvFile()
  } catch (err) {
    // No file is fine: every variable has a default.
    if (/** @type {NodeJS.ErrnoException} */ (err).code !== 'ENOENT') throw err
  }
}

/**
 * A variable's value. An empty one counts as unset, as in the plugin: `.env.example` has some.
 *
 * @param {string} name
 */
function variable (name) {
  return process.env[name]?.trim() || undefined
}

/** Where the server listens. */
export function listenAddress () {
  // A port that is no number is left to `listen`, which knows what a port is.
  return { host: variable('HOST') ?? 'localhost', port: Number(variable('PORT') ?? 8080) }
}

/** Where the client connects, and with which key. By default it is the server of the same `.env`. */
export function clientTarget () {
  const { host, port } = listenAddress()
  const url = variable('WS_URL') ?? serverUrl(host, port)
  return { url: url.replace(/\/+$/, ''), apikey: variable('WS_APIKEY') ?? variable('AUTHENTICATION_API_KEY') }
}

/**
 * The URL by which a client on this machine reaches a server that listens there.
 *
 * @param {string} host
 * @param {number} port
 */
export function serverUrl (host, port) {
  // "Every network" is an address to listen on, and none to connect to.
  if (host === '0.0.0.0' || host === '::') return `http://localhost:${port}`
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
