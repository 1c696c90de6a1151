import { splitList } from '../../access/addresses.js'
import { errorName } from '../../errors.js'
import { readSettings } from '../../options.js'
import { EVOLUTIONS_KEYS } from '../known-keys.js'

/** A file's variables. An empty one counts as unset, as in the plugin. */
export type Env = Readonly<Record<string, string | undefined>>

export type Effect = 'stays' | 'changes' | 'no effect'

export interface Finding {
  readonly effect: Effect
  /** Sentences. Never with the value of a variable that may hold a secret. */
  readonly text: string
}

/** What becomes of a variable; `undefined`: it is not in the file, and that needs no word. */
type Judge = (value: string | undefined, env: Env) => Finding | undefined

const stays = (text: string): Finding => ({ effect: 'stays', text })
const changes = (text: string): Finding => ({ effect: 'changes', text })
const noEffect = (text: string): Judge => value => value === undefined ? undefined : { effect: 'no effect', text }

/** Whether registering would take the variable as it is. */
export function isUnderstood (name: string, value: string): boolean {
  try {
    readSettings({ evolution: true, env: { [name]: value } })
    return true
  } catch (error) {
    if (errorName(error) !== 'INVALID_OPTION') throw error
    return false
  }
}

const isOnHere = (value: string): boolean => ['true', '1'].includes(value.toLowerCase())

/** Evolution takes the text `true` for on, and anything else for off. */
function judgeSwitch (name: string, value: string, on: string, off: string): Finding {
  if (!isUnderstood(name, value)) {
    return changes(
      'Evolution takes this value for false. Here it is an error: write true or false. The call below says false.'
    )
  }
  if (isOnHere(value) === (value === 'true')) return stays(isOnHere(value) ? on : off)
  return changes(`Evolution takes only the text "true" for on, so there it was off. Here it is on. ${on}`)
}

function judgeHosts (value: string | undefined, { AUTHENTICATION_API_KEY: key }: Env): Finding {
  if (value === undefined) {
    return key === undefined
      ? stays('Not set: this machine needs no key.')
      : changes(
        'Not set: Evolution lets this machine in without a key. Here, because there is a key, nobody is let in without one.'
      )
  }
  if (splitList(value).includes('*')) {
    return changes(
      'Anybody gets in without a key. Here a key that is given is checked even so, and the log warns of it. Do not use it on an open network.'
    )
  }
  const proxies = 'A key that is given is checked even so. A request that a proxy passed on does not count, unless you set trustProxy to the address of that proxy: in Evolution, behind a proxy on the same machine, everybody came from an allowed address.'
  if (isUnderstood('WEBSOCKET_ALLOWED_HOSTS', value)) return changes(`These addresses need no key. ${proxies}`)
  return changes(
    `Here it takes only IP addresses and CIDR blocks, and other texts are an error. The call below has those that are addresses. ${proxies}`
  )
}

function judgeKey (value: string | undefined): Finding {
  if (value === undefined) {
    return changes(
      'Not set: Evolution then takes a key that everybody can read in its source. Here no key means that only this machine may connect. Set one.'
    )
  }
  if (EVOLUTIONS_KEYS.includes(value)) {
    return changes('This is the key of Evolution\'s own sample or source, which everybody can read. Take another one.')
  }
  return stays('It opens the root, every instance and every route.')
}

function judgeOrigins (value: string | undefined): Finding {
  const foreign = 'pages from elsewhere may connect with a key only'
  if (value === undefined) {
    return changes(`Not set: Evolution then allows every page. Here ${foreign}, and only over websocket.`)
  }
  if (splitList(value).includes('*')) {
    return changes(
      `Any page may connect, as in Evolution. Here ${foreign}: the address of its visitor and cookies never count.`
    )
  }
  const rest = 'Pages that are not listed are refused (ORIGIN_NOT_ALLOWED), also over websocket, where Evolution does not look at the origin.'
  if (isUnderstood('CORS_ORIGIN', value)) return changes(rest)
  return changes(
    `An origin begins with https:// or http:// here, and other texts are an error. The call below has them with https://. ${rest}`
  )
}

function judgeUrl (value: string | undefined): Finding {
  if (value === undefined) return stays('Not set: server_url of the messages is null.')
  if (isUnderstood('SERVER_URL', value)) return stays('It is server_url of every message.')
  return changes(
    'Here it must begin with https:// or http://, and other texts are an error. See serverUrl in the call below.'
  )
}

interface Variable {
  /** What does its work here: a variable of the same name, an option, a part of Fastify; `''`: nothing. */
  readonly here: string
  readonly judge: Judge
}

/** Every variable of Evolution API that has to do with its WebSocket, or with what the plugin does. */
export const VARIABLES: Readonly<Record<string, Variable>> = {
  WEBSOCKET_ENABLED: {
    here: 'WEBSOCKET_ENABLED',
    judge: value => value === undefined
      ? changes('Not set: Evolution\'s events are off then. Here they are on, because you register the plugin.')
      : judgeSwitch('WEBSOCKET_ENABLED', value, 'Events are on.', 'Events are off. Set it to true to switch them on.')
  },
  WEBSOCKET_GLOBAL_EVENTS: {
    here: 'WEBSOCKET_GLOBAL_EVENTS',
    judge: value => {
      const on = 'Global mode: clients of / get the events of every instance. Here the key of one instance does not open /, in Evolution it does.'
      const off = 'Traditional mode: clients connect to /INSTANCE.'
      if (value === undefined) return stays(`Not set. ${off}`)
      return value === 'true' ? changes(on) : judgeSwitch('WEBSOCKET_GLOBAL_EVENTS', value, on, off)
    }
  },
  WEBSOCKET_ALLOWED_HOSTS: { here: 'WEBSOCKET_ALLOWED_HOSTS', judge: judgeHosts },
  AUTHENTICATION_API_KEY: { here: 'AUTHENTICATION_API_KEY', judge: judgeKey },
  SERVER_URL: { here: 'SERVER_URL', judge: judgeUrl },
  CORS_ORIGIN: { here: 'CORS_ORIGIN', judge: judgeOrigins },
  AUTHENTICATION_EXPOSE_IN_FETCH_INSTANCES: {
    here: '',
    judge: noEffect(
      'If it is true, Evolution puts the keys of instances into the messages. Here no message has an apikey, unless you give one to emit.'
    )
  },
  CORS_METHODS: { here: '', judge: noEffect('The plugin knows which methods its clients need.') },
  CORS_CREDENTIALS: {
    here: '',
    judge: noEffect('Pages that CORS_ORIGIN lists by name may send cookies, others may not.')
  },
  SERVER_PORT: {
    here: 'listen({ port })',
    judge: noEffect('The plugin does not listen, your application does: see listen in the call below.')
  },
  SERVER_TYPE: {
    here: 'Fastify({ https })',
    judge: noEffect(
      'The plugin does not listen. For https, Fastify gets the key and the certificate: see the call below.'
    )
  },
  SSL_CONF_PRIVKEY: {
    here: 'Fastify({ https })',
    judge: noEffect('TLS is Fastify\'s: give it the file as https.key.')
  },
  SSL_CONF_FULLCHAIN: {
    here: 'Fastify({ https })',
    judge: noEffect('TLS is Fastify\'s: give it the file as https.cert.')
  },
  LOG_LEVEL: {
    here: 'Fastify({ logger })',
    judge: noEffect(
      'The plugin logs with Fastify\'s logger, which has a level of its own. No key and no data is logged.'
    )
  },
  CACHE_REDIS_URI: {
    here: 'WEBSOCKET_STORE',
    judge: noEffect(
      'Evolution does not use it for its events. Here many nodes share events and configs by WEBSOCKET_STORE=redis://HOST.'
    )
  },
  DATABASE_CONNECTION_URI: {
    here: 'WEBSOCKET_STORE',
    judge: noEffect(
      'Evolution keeps the configs of its instances in its database. Here they are in the store, or where your option configs says: set each instance once.'
    )
  },
  TZ: {
    here: '',
    judge: noEffect('date_time is true UTC in every time zone. Evolution writes local time and marks it as UTC.')
  }
}
