import { splitList } from '../../access/addresses.js'
import { errorName } from '../../errors.js'
import { readSettings } from '../../options.js'
import { EVOLUTIONS_KEYS } from '../known-keys.js'

/** The variables of a file. An empty variable counts as unset, as in the plugin. */
export type Env = Readonly<Record<string, string | undefined>>

export type Effect = 'stays' | 'changes' | 'no effect'

export interface Finding {
  readonly effect: Effect
  /** Sentences about the variable. They never contain a value that may be a secret. */
  readonly text: Text
}

export type Language = 'en' | 'pt'

/** A text in each language. */
export type Text = Readonly<Record<Language, string>>

const both = (en: string, pt: string): Text => ({ en, pt })
const joined = (one: Text, other: Text): Text => both(`${one.en} ${other.en}`, `${one.pt} ${other.pt}`)

/** Describes what happens to a variable; `undefined` if the variable is not set and need not be mentioned. */
type Judge = (value: string | undefined, env: Env) => Finding | undefined

const stays = (text: Text): Finding => ({ effect: 'stays', text })
const changes = (text: Text): Finding => ({ effect: 'changes', text })
const noEffect = (text: Text): Judge => value => value === undefined ? undefined : { effect: 'no effect', text }

/** Whether the plugin accepts the value of a variable. */
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

/** Describes a boolean variable. Evolution treats `true` as on, and any other text as off. */
function judgeSwitch (name: string, value: string, on: Text, off: Text): Finding {
  if (!isUnderstood(name, value)) {
    return changes(both(
      'Evolution takes this value for false. Here it is an error: write true or false. The call below says false.',
      'A Evolution trata este valor como false. Aqui é um erro: escreva true ou false. A chamada abaixo usa false.'
    ))
  }
  if (isOnHere(value) === (value === 'true')) return stays(isOnHere(value) ? on : off)
  return changes(joined(both(
    'Evolution takes only the text "true" for on, so there it was off. Here it is on.',
    'Na Evolution só o texto "true" liga, então lá estava desligado. Aqui está ligado.'
  ), on))
}

const PROXIES = both(
  'A key that is given is checked even so. A request that a proxy passed on does not count, unless you set trustProxy to the address of that proxy: in Evolution, behind a proxy on the same machine, everybody came from an allowed address.',
  'Se vier uma chave, ela é verificada mesmo assim. Uma requisição que passou por um proxy não conta, a menos que trustProxy tenha o endereço desse proxy: na Evolution, atrás de um proxy na mesma máquina, todos vinham de um endereço permitido.'
)

function judgeHosts (value: string | undefined, { AUTHENTICATION_API_KEY: key }: Env): Finding {
  if (value === undefined) {
    return key === undefined
      ? stays(both('Not set: this machine needs no key.', 'Não definida: esta máquina não precisa de chave.'))
      : changes(both(
        'Not set: Evolution lets this machine in without a key. Here, because there is a key, nobody is let in without one.',
        'Não definida: a Evolution deixa esta máquina entrar sem chave. Aqui, como existe uma chave, ninguém entra sem ela.'
      ))
  }
  if (splitList(value).includes('*')) {
    return changes(both(
      'Anybody gets in without a key. Here a key that is given is checked even so, and the log warns of it. Do not use it on an open network.',
      'Qualquer um entra sem chave. Aqui, se vier uma chave, ela é verificada mesmo assim, e o log avisa. Não use em uma rede aberta.'
    ))
  }
  if (isUnderstood('WEBSOCKET_ALLOWED_HOSTS', value)) {
    return changes(joined(both('These addresses need no key.', 'Estes endereços não precisam de chave.'), PROXIES))
  }
  return changes(joined(both(
    'Here it takes only IP addresses and CIDR blocks, and other texts are an error. The call below has those that are addresses.',
    'Aqui só são aceitos endereços IP e blocos CIDR, e qualquer outro texto é um erro. A chamada abaixo traz os que são endereços.'
  ), PROXIES))
}

function judgeKey (value: string | undefined): Finding {
  if (value === undefined) {
    return changes(both(
      'Not set: Evolution then takes a key that everybody can read in its source. Here no key means that only this machine may connect. Set one.',
      'Não definida: a Evolution usa então uma chave que qualquer um lê no código dela. Aqui, sem chave, só esta máquina se conecta. Defina uma.'
    ))
  }
  if (EVOLUTIONS_KEYS.includes(value)) {
    return changes(both(
      'This is the key of Evolution\'s own sample or source, which everybody can read. Take another one.',
      'Esta é a chave do exemplo ou do código da própria Evolution, que qualquer um pode ler. Escolha outra.'
    ))
  }
  return stays(both(
    'It opens the root, every instance and every route.',
    'Ela abre a raiz, todas as instâncias e todas as rotas.'
  ))
}

function judgeOrigins (value: string | undefined): Finding {
  if (value === undefined) {
    return changes(both(
      'Not set: Evolution then allows every page. Here pages from elsewhere may connect with a key only, and only over websocket.',
      'Não definida: a Evolution permite então qualquer página. Aqui, páginas de outra origem só se conectam com uma chave, e só por websocket.'
    ))
  }
  if (splitList(value).includes('*')) {
    return changes(both(
      'Any page may connect, as in Evolution. Here pages from elsewhere may connect with a key only: the address of its visitor and cookies never count.',
      'Qualquer página se conecta, como na Evolution. Aqui, páginas de outra origem precisam de uma chave: o endereço do visitante e os cookies dele nunca contam.'
    ))
  }
  const rest = both(
    'Pages that are not listed are refused (ORIGIN_NOT_ALLOWED), also over websocket, where Evolution does not look at the origin.',
    'Páginas fora da lista são recusadas (ORIGIN_NOT_ALLOWED), também por websocket, onde a Evolution não olha a origem.'
  )
  if (isUnderstood('CORS_ORIGIN', value)) return changes(rest)
  return changes(joined(both(
    'An origin begins with https:// or http:// here, and other texts are an error. The call below has them with https://.',
    'Aqui uma origem começa com https:// ou http://, e qualquer outro texto é um erro. A chamada abaixo as traz com https://.'
  ), rest))
}

function judgeUrl (value: string | undefined): Finding {
  if (value === undefined) {
    return stays(both(
      'Not set: server_url of the messages is null.',
      'Não definida: server_url das mensagens é null.'
    ))
  }
  if (isUnderstood('SERVER_URL', value)) {
    return stays(both('It is server_url of every message.', 'É o server_url de cada mensagem.'))
  }
  return changes(both(
    'Here it must begin with https:// or http://, and other texts are an error. See serverUrl in the call below.',
    'Aqui ela precisa começar com https:// ou http://, e qualquer outro texto é um erro. Veja serverUrl na chamada abaixo.'
  ))
}

function judgeEnabled (value: string | undefined): Finding {
  if (value === undefined) {
    return changes(both(
      'Not set: Evolution\'s events are off then. Here they are on, because you register the plugin.',
      'Não definida: na Evolution os eventos ficam desligados. Aqui estão ligados, porque você registra o plugin.'
    ))
  }
  return judgeSwitch(
    'WEBSOCKET_ENABLED',
    value,
    both(
      'Events are on. This server reads the same file: if you write false there for Evolution, give the plugin enabled: true.',
      'Os eventos estão ligados. Este servidor lê o mesmo arquivo: se você escrever false nele para a Evolution, passe enabled: true ao plugin.'
    ),
    both('Events are off. Set it to true to switch them on.', 'Os eventos estão desligados. Use true para ligá-los.')
  )
}

function judgeGlobal (value: string | undefined): Finding {
  const on = both(
    'Global mode: clients of / get the events of every instance. Here the key of one instance does not open /, in Evolution it does.',
    'Modo global: clientes da raiz / recebem os eventos de todas as instâncias. Aqui a chave de uma instância não abre a raiz, na Evolution abre.'
  )
  const off = both(
    'Traditional mode: clients connect to /INSTANCE.',
    'Modo tradicional: os clientes se conectam a /INSTANCIA.'
  )
  if (value === undefined) return stays(joined(both('Not set.', 'Não definida.'), off))
  return value === 'true' ? changes(on) : judgeSwitch('WEBSOCKET_GLOBAL_EVENTS', value, on, off)
}

interface Variable {
  /** The replacement: a variable of the same name, an option, or a part of Fastify; `''`: none. */
  readonly here: string
  readonly judge: Judge
}

const TLS = both(
  'The plugin does not listen. For https, Fastify gets the key and the certificate: see the call below.',
  'O plugin não escuta em porta nenhuma. Para https, o Fastify recebe a chave e o certificado: veja a chamada abaixo.'
)

/** Every variable of Evolution API that concerns its WebSocket, or features that the plugin has as well. */
export const VARIABLES: Readonly<Record<string, Variable>> = {
  WEBSOCKET_ENABLED: { here: 'WEBSOCKET_ENABLED', judge: judgeEnabled },
  WEBSOCKET_GLOBAL_EVENTS: { here: 'WEBSOCKET_GLOBAL_EVENTS', judge: judgeGlobal },
  WEBSOCKET_ALLOWED_HOSTS: { here: 'WEBSOCKET_ALLOWED_HOSTS', judge: judgeHosts },
  AUTHENTICATION_API_KEY: { here: 'AUTHENTICATION_API_KEY', judge: judgeKey },
  SERVER_URL: { here: 'SERVER_URL', judge: judgeUrl },
  CORS_ORIGIN: { here: 'CORS_ORIGIN', judge: judgeOrigins },
  AUTHENTICATION_EXPOSE_IN_FETCH_INSTANCES: {
    here: '',
    judge: noEffect(both(
      'If it is true, Evolution puts the keys of instances into the messages. Here no message has an apikey, unless you give one to emit.',
      'Com true, a Evolution põe as chaves das instâncias nas mensagens. Aqui nenhuma mensagem tem apikey, a menos que você passe uma ao emit.'
    ))
  },
  CORS_METHODS: {
    here: '',
    judge: noEffect(both(
      'The plugin knows which methods its clients need.',
      'O plugin sabe de quais métodos os clientes precisam.'
    ))
  },
  CORS_CREDENTIALS: {
    here: '',
    judge: noEffect(both(
      'Pages that CORS_ORIGIN lists by name may send cookies, others may not.',
      'Páginas listadas pelo nome em CORS_ORIGIN podem enviar cookies, as outras não.'
    ))
  },
  SERVER_PORT: {
    here: 'listen({ port })',
    judge: noEffect(both(
      'It is Evolution\'s port. Your application listens at its own: see listen in the call below.',
      'É a porta da Evolution. A sua aplicação escuta na própria porta: veja listen na chamada abaixo.'
    ))
  },
  SERVER_TYPE: { here: 'Fastify({ https })', judge: noEffect(TLS) },
  SSL_CONF_PRIVKEY: {
    here: 'Fastify({ https })',
    judge: noEffect(both(
      'TLS is Fastify\'s: give it the file as https.key.',
      'O TLS é do Fastify: passe o arquivo como https.key.'
    ))
  },
  SSL_CONF_FULLCHAIN: {
    here: 'Fastify({ https })',
    judge: noEffect(both(
      'TLS is Fastify\'s: give it the file as https.cert.',
      'O TLS é do Fastify: passe o arquivo como https.cert.'
    ))
  },
  LOG_LEVEL: {
    here: 'Fastify({ logger })',
    judge: noEffect(both(
      'The plugin logs with Fastify\'s logger, which has a level of its own. No key and no data is logged.',
      'O plugin usa o logger do Fastify, que tem um nível próprio. Nenhuma chave e nenhum dado vão para o log.'
    ))
  },
  CACHE_REDIS_URI: {
    here: 'WEBSOCKET_STORE',
    judge: noEffect(both(
      'Evolution does not use it for its events. Here many nodes share events and configs by WEBSOCKET_STORE=redis://HOST.',
      'A Evolution não o usa para os eventos. Aqui vários nós compartilham eventos e configurações com WEBSOCKET_STORE=redis://HOST.'
    ))
  },
  DATABASE_CONNECTION_URI: {
    here: 'WEBSOCKET_STORE',
    judge: noEffect(both(
      'Evolution keeps the configs of its instances in its database. Here they are in the store, or where your option configs says: set each instance once.',
      'A Evolution guarda as configurações das instâncias no banco dela. Aqui elas ficam no armazenamento, ou onde a sua opção configs disser: configure cada instância uma vez.'
    ))
  },
  TZ: {
    here: '',
    judge: noEffect(both(
      'What your application emits has the true UTC in date_time, in every time zone. With serve, EVOLUTION_TIME_ZONE does the work: it is filled in above.',
      'O que a sua aplicação emite tem o UTC de verdade em date_time, em qualquer fuso. Com o serve, quem faz isso é EVOLUTION_TIME_ZONE, já preenchida acima.'
    ))
  }
}
