import type { Effect, Language } from './variables.js'

/** The fixed texts of the report. */
export interface Texts {
  readonly beside: string
  readonly besideIntro: (file: string) => string
  readonly keyOfEvolution: string
  readonly publishKey: string
  /** Placeholder for the publish key. No key is generated here, since others may read the terminal or the log. */
  readonly publishKeyHere: string
  readonly port: string
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
  readonly ownServerIntro: string
  readonly call: string
  readonly headings: Readonly<Record<Effect, string>>
  readonly others: (count: number) => string
  readonly differencesTitle: string
  /** Differences that no variable influences, in either kind of server. */
  readonly differences: readonly string[]
  /** The same for a server that the user writes. */
  readonly ownDifferences: readonly string[]
}

const en: Texts = {
  beside: 'BESIDE YOUR EVOLUTION API: .env OF npx fastify-ws-events serve',
  besideIntro: file => 'Put it into a folder of its own, as .env, and fill in the two keys. ' +
    `No key of ${file} is printed: copy yours.`,
  keyOfEvolution: 'The global key: take that of your Evolution API, and clients that use it get in as before',
  publishKey: 'A new key, which may publish and nothing else: openssl rand -hex 16',
  publishKeyHere: 'YOUR_PUBLISH_KEY',
  port: 'If it is taken, change it here and in WEBHOOK_GLOBAL_URL',
  timeZone: 'date_time of webhooks is local time with a Z, and is corrected by this',
  timeZoneOfImage: 'The time zone of Evolution\'s image: its date_time is local time with a Z, and is corrected by this',
  notUnderstood: name => `${name} of the file is not understood here: see below`,
  inEvolution: 'LINES TO CHANGE IN THE .env OF EVOLUTION (replace those that are there, then restart Evolution)',
  globalWebhook: 'Webhooks to this server. Evolution logs the URL: the key in it may publish, and nothing else',
  eventsOn: 'All are off by default. Each event is a request: do not switch on what no client needs',
  already: 'is so already',
  notGlobal: events => `No global webhook carries ${events}`,
  socketOff: 'Evolution\'s own socket, when all clients connect to this server. Until then both may run',
  slots: 'THE TWO SLOTS FOR A WEBHOOK',
  slotFree: 'The global webhook is free. An instance can have one besides: Evolution tries that first, with all its repeats, so a receiver that is down delays the global one by up to half an hour.',
  slotTaken: host => `The global webhook is taken by ${host}. ` +
    'There is one: either give that receiver the instances\' webhooks (POST /webhook/set/INSTANCE), or give those to this server, with "headers": { "apikey": "YOUR_PUBLISH_KEY" } (the whole command: docs/evolution.md). Evolution tries the instance\'s first, with all its repeats: while that receiver is down, the global webhook comes up to half an hour late.',
  ownServer: 'IN A FASTIFY APPLICATION OF YOUR OWN, in place of serve',
  ownServerIntro: 'With serve, you are done: what follows is not for you.',
  call: 'The server, in which existing clients get in: npm install fastify fastify-ws-events, save it as server.mjs, run node server.mjs',
  headings: { stays: 'STAYS AS IT IS', changes: 'CHANGES', 'no effect': 'HAS NO EFFECT HERE' },
  others: count => `Other variables in the file: ${count}. The plugin does not read them.`,
  differencesTitle: 'WHAT CLIENTS NOTICE (whatever your .env says)',
  differences: [
    'date_time of a message is true UTC. Evolution writes local time and marks it as UTC; serve corrects it by EVOLUTION_TIME_ZONE.',
    'A message has no apikey. It has an id besides, from which a client can resume.',
    'The token of an instance opens that instance alone.',
    'A key may come in auth.apikey of the client, so that it is not in the URL. Query and header work as before.',
    'Without a key nobody gets in, but for addresses in WEBSOCKET_ALLOWED_HOSTS. A page of another origin connects with a key and by websocket alone, unless CORS_ORIGIN lists it.',
    'A refusal is final: a stock client gets connect_error with data.code and does not try again by itself.',
    'A namespace is there before the first event of its instance: with serve from the start, in your application as soon as the instance is set.',
    'enabled: true without events means all events. GROUPS_UPDATE arrives, also where a config says GROUP_UPDATE.',
    'There is no sendNode.'
  ],
  ownDifferences: [
    'Events and configs end with the process, unless WEBSOCKET_STORE is set: lmdb:./data, or redis://HOST for many nodes.',
    'A message gets an apikey if you give one to emit.'
  ]
}

const pt: Texts = {
  beside: 'AO LADO DA SUA EVOLUTION API: .env DO npx fastify-ws-events serve',
  besideIntro: file => 'Salve em uma pasta própria, como .env, e preencha as duas chaves. ' +
    `Nenhuma chave de ${file} é exibida: copie a sua.`,
  keyOfEvolution: 'A chave global: use a da sua Evolution API, e os clientes que usam essa chave entram como antes',
  publishKey: 'Uma chave nova, que só pode publicar: openssl rand -hex 16',
  publishKeyHere: 'SUA_CHAVE_DE_PUBLICACAO',
  port: 'Se a porta já estiver em uso, mude aqui e na WEBHOOK_GLOBAL_URL',
  timeZone: 'O date_time dos webhooks é a hora local com um Z, e é corrigido por este fuso horário',
  timeZoneOfImage: 'O fuso horário da imagem da Evolution: o date_time é a hora local com um Z, e é corrigido por ele',
  notUnderstood: name => `${name} do arquivo não é aceito aqui: veja abaixo`,
  inEvolution: 'LINHAS PARA ALTERAR NO .env DA EVOLUTION (substitua as que já existem; depois, reinicie a Evolution)',
  globalWebhook: 'Webhooks para este servidor. A Evolution registra a URL no log: a chave que está nela só pode publicar',
  eventsOn: 'Todos vêm desligados por padrão. Cada evento gera uma requisição: não ligue os que nenhum cliente usa',
  already: 'já está assim',
  notGlobal: events => `Nenhum webhook global traz ${events}`,
  socketOff: 'O socket da própria Evolution, quando todos os clientes já se conectam a este servidor. Até lá, os dois podem rodar juntos',
  slots: 'OS DOIS WEBHOOKS QUE EXISTEM',
  slotFree: 'O webhook global está livre. Cada instância pode ter mais um: a Evolution tenta esse primeiro, com todas as repetições. Se o destino dele estiver fora do ar, o webhook global atrasa até meia hora.',
  slotTaken: host => `O webhook global já é usado por ${host}, e só existe um. ` +
    'Passe aquele destino para os webhooks das instâncias (POST /webhook/set/INSTANCIA), ou use esses para este servidor, com "headers": { "apikey": "SUA_CHAVE_DE_PUBLICACAO" } (o comando completo: docs/evolution.pt-BR.md). A Evolution tenta primeiro o da instância, com todas as repetições: enquanto aquele destino estiver fora do ar, o webhook global atrasa até meia hora.',
  ownServer: 'EM UMA APLICAÇÃO FASTIFY SUA, no lugar do serve',
  ownServerIntro: 'Com o serve, você já terminou: o que vem a seguir não é para você.',
  call: 'O servidor, no qual os clientes atuais conseguem entrar: npm install fastify fastify-ws-events, salve como server.mjs, execute node server.mjs',
  headings: { stays: 'CONTINUA IGUAL', changes: 'MUDA', 'no effect': 'NÃO TEM EFEITO AQUI' },
  others: count => `Outras variáveis no arquivo: ${count}. O plugin não as lê.`,
  differencesTitle: 'O QUE OS CLIENTES PERCEBEM (vale sempre, seja qual for o seu .env)',
  differences: [
    'O date_time de uma mensagem é UTC de verdade. A Evolution escreve a hora local e a marca como UTC; o serve a corrige com EVOLUTION_TIME_ZONE.',
    'Uma mensagem não tem apikey. Ela tem também um id, a partir do qual um cliente recebe o que perdeu.',
    'O token de uma instância abre só essa instância.',
    'A chave pode vir no auth.apikey do cliente, e assim não fica na URL. Query e header funcionam como antes.',
    'Sem chave ninguém entra, a não ser de endereços em WEBSOCKET_ALLOWED_HOSTS. Uma página de outra origem só se conecta com uma chave e por websocket, a menos que CORS_ORIGIN a liste.',
    'Uma recusa é definitiva: o cliente comum recebe connect_error com data.code e não tenta de novo sozinho.',
    'O namespace existe antes do primeiro evento da instância: com o serve, desde o início; na sua aplicação, assim que a instância é configurada.',
    'enabled: true sem events significa todos os eventos. GROUPS_UPDATE chega, também quando a configuração diz GROUP_UPDATE.',
    'Não existe sendNode.'
  ],
  ownDifferences: [
    'Eventos e configurações acabam com o processo, a menos que WEBSOCKET_STORE esteja definida: lmdb:./data, ou redis://HOST para vários nós.',
    'Uma mensagem tem apikey se você passar uma ao emit.'
  ]
}

export const TEXTS: Readonly<Record<Language, Texts>> = { en, pt }
