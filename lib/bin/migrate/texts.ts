import type { Effect, Language } from './variables.js'

/** What the report says around its findings. */
export interface Texts {
  readonly beside: string
  readonly besideIntro: (file: string) => string
  readonly keyOfEvolution: string
  readonly publishKey: string
  readonly timeZone: string
  readonly timeZoneOfImage: string
  readonly notUnderstood: (name: string) => string
  readonly inEvolution: string
  readonly globalWebhook: string
  readonly eventsOn: string
  readonly already: string
  readonly notGlobal: (events: string) => string
  readonly socketOff: string
  readonly slots: string
  readonly slotFree: string
  readonly slotTaken: (host: string) => string
  readonly ownServer: string
  readonly headings: Readonly<Record<Effect, string>>
  readonly others: (count: number) => string
  readonly differencesTitle: string
  /** What no variable decides. */
  readonly differences: readonly string[]
}

const en: Texts = {
  beside: 'BESIDE YOUR EVOLUTION API: .env OF npx fastify-ws-events serve',
  besideIntro: file => `Put it into a folder of its own, as .env. No key of ${file} is printed: copy yours.`,
  keyOfEvolution: 'The global key: that of your Evolution API, or one of your own',
  publishKey: 'A key that may publish, and nothing else: openssl rand -hex 16',
  timeZone: 'date_time of webhooks is local time with a Z, and is corrected by this',
  timeZoneOfImage: 'The time zone of Evolution\'s image: its date_time is local time with a Z, and is corrected by this',
  notUnderstood: name => `${name} of the file is not understood here: see below`,
  inEvolution: 'LINES TO CHANGE IN THE .env OF EVOLUTION, then restart it',
  globalWebhook: 'Webhooks to this server. Evolution logs the URL: the key in it may publish, and nothing else',
  eventsOn: 'Each is off by default. Each costs one request an event: leave out what no client needs',
  already: 'is so already',
  notGlobal: events => `No global webhook carries ${events}`,
  socketOff: 'When all clients connect to this server. Until then both may run',
  slots: 'THE TWO SLOTS FOR A WEBHOOK',
  slotFree: 'The global webhook is free. An instance can have one besides: Evolution tries that first, with all its repeats, so a receiver that is down delays the global one by up to half an hour.',
  slotTaken: host => `The global webhook is taken by ${host}. ` +
    'There is one: either give that receiver the instances\' webhooks (POST /webhook/set/INSTANCE), or give those to this server, with "headers": { "apikey": "YOUR_PUBLISH_KEY" }. Evolution tries the instance\'s first, with all its repeats: while that receiver is down, the global webhook comes up to half an hour late.',
  ownServer: 'A SERVER OF YOUR OWN INSTEAD, in which existing clients get in: npm install fastify fastify-ws-events, save it as server.mjs, run node server.mjs',
  headings: { stays: 'STAYS AS IT IS', changes: 'CHANGES', 'no effect': 'HAS NO EFFECT HERE' },
  others: count => `Other variables in the file: ${count}. The plugin does not read them.`,
  differencesTitle: 'WHATEVER THE FILE SAYS',
  differences: [
    'date_time of a message is true UTC. Evolution writes local time and marks it as UTC.',
    'A message has no apikey, unless you give one to emit. It has an id besides, from which a client can resume.',
    'The token of an instance opens that instance alone.',
    'A key may come in auth.apikey of the client, so that it is not in the URL. Query and header work as before.',
    'A refusal is final: a stock client gets connect_error with data.code and does not try again by itself.',
    'A namespace is there as soon as its instance is set, not only after its first event.',
    'enabled: true without events means all events. GROUPS_UPDATE arrives, also where a config says GROUP_UPDATE.',
    'Events and configs end with the process, unless WEBSOCKET_STORE is set: lmdb:./data, or redis://HOST for many nodes. serve keeps them in ./data.',
    'There is no sendNode.'
  ]
}

const pt: Texts = {
  beside: 'AO LADO DA SUA EVOLUTION API: .env DO npx fastify-ws-events serve',
  besideIntro: file => `Salve em uma pasta própria, como .env. Nenhuma chave de ${file} é exibida: copie a sua.`,
  keyOfEvolution: 'A chave global: a da sua Evolution API, ou uma nova',
  publishKey: 'Uma chave que só pode publicar: openssl rand -hex 16',
  timeZone: 'O date_time dos webhooks é a hora local com um Z, e é corrigido por este fuso horário',
  timeZoneOfImage: 'O fuso horário da imagem da Evolution: o date_time é a hora local com um Z, e é corrigido por ele',
  notUnderstood: name => `${name} do arquivo não é aceito aqui: veja abaixo`,
  inEvolution: 'LINHAS A MUDAR NO .env DA EVOLUTION; depois, reinicie-a',
  globalWebhook: 'Webhooks para este servidor. A Evolution registra a URL no log: a chave que está nela só pode publicar',
  eventsOn: 'Cada um vem desligado. Cada um custa uma requisição por evento: deixe de fora o que nenhum cliente usa',
  already: 'já está assim',
  notGlobal: events => `Nenhum webhook global traz ${events}`,
  socketOff: 'Quando todos os clientes já se conectam a este servidor. Até lá, os dois podem rodar juntos',
  slots: 'OS DOIS WEBHOOKS QUE EXISTEM',
  slotFree: 'O webhook global está livre. Cada instância pode ter mais um: a Evolution tenta esse primeiro, com todas as repetições. Se o destino dele estiver fora do ar, o webhook global atrasa até meia hora.',
  slotTaken: host => `O webhook global já é usado por ${host}, e só existe um. ` +
    'Passe aquele destino para os webhooks das instâncias (POST /webhook/set/INSTANCIA), ou use esses para este servidor, com "headers": { "apikey": "YOUR_PUBLISH_KEY" }. A Evolution tenta primeiro o da instância, com todas as repetições: enquanto aquele destino estiver fora do ar, o webhook global atrasa até meia hora.',
  ownServer: 'OU UM SERVIDOR SEU, no qual os clientes atuais conseguem entrar: npm install fastify fastify-ws-events, salve como server.mjs, execute node server.mjs',
  headings: { stays: 'CONTINUA IGUAL', changes: 'MUDA', 'no effect': 'NÃO TEM EFEITO AQUI' },
  others: count => `Outras variáveis no arquivo: ${count}. O plugin não as lê.`,
  differencesTitle: 'QUALQUER QUE SEJA O ARQUIVO',
  differences: [
    'O date_time de uma mensagem é UTC de verdade. A Evolution escreve a hora local e a marca como UTC.',
    'Uma mensagem não tem apikey, a menos que você passe uma ao emit. Ela tem também um id, a partir do qual um cliente recebe o que perdeu.',
    'O token de uma instância abre só essa instância.',
    'A chave pode vir no auth.apikey do cliente, e assim não fica na URL. Query e header funcionam como antes.',
    'Uma recusa é definitiva: o cliente comum recebe connect_error com data.code e não tenta de novo sozinho.',
    'O namespace existe assim que a instância é configurada, e não só depois do primeiro evento dela.',
    'enabled: true sem events significa todos os eventos. GROUPS_UPDATE chega, também quando a configuração diz GROUP_UPDATE.',
    'Eventos e configurações acabam com o processo, a menos que WEBSOCKET_STORE esteja definida: lmdb:./data, ou redis://HOST para vários nós. O serve os guarda em ./data.',
    'Não existe sendNode.'
  ]
}

export const TEXTS: Readonly<Record<Language, Texts>> = { en, pt }
