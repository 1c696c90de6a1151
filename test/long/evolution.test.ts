import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { connect } from '../../lib/client/index.js'
import type { Message } from '../../lib/index.js'
import { BIN } from '../bin/run.js'
import type { Call, Said } from '../fixtures/evolution.js'
import { transports } from '../helpers/client.js'
import { folder } from '../helpers/documents.js'
import type { Delivered, Loss, Webhook } from '../helpers/evolution/sender.js'
import { answered, eventually } from '../helpers/latch.js'
import { freePort, LOADER, UNCOUNTED } from '../helpers/program.js'
import { StockClient } from '../helpers/stock.js'

const KEY = 'the-key-of-this-server'
const INSTANCES = ['acme', 'Teste 01', 'loja-ação', 'suporte_br']
const TURNS = 'one at a time'
const TOKENS: Readonly<Record<string, string>> = Object.fromEntries([...INSTANCES, TURNS].map(name => [name, `token of ${name}`.replaceAll(/[^\w ]/g, '_')]))
const WEBHOOKS = 5000
const IN_TURN = 300
const REDIRECTED = 5
const LARGE = 5
const PER_SECOND = 250
const KILLS = 5
const ORIGIN = 'https://app.example.com'
/** Events that Evolution sends by webhook. */
const EVENTS = ['messages.upsert', 'messages.update', 'send.message', 'chats.update', 'contacts.upsert', 'presence.update', 'connection.update']
/** For which an answer of Evolution's about a key holds, and the outage, in ms. */
const TTL = 2000
const OUTAGE = 15_000

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))

/** The double of Evolution, a process of its own. */
class Evolution {
  readonly delivered: Delivered[] = []
  isDone = false
  readonly #process: ChildProcess

  constructor (t: Test) {
    this.#process = spawn(process.execPath, [...LOADER, fixture('evolution.ts')], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env: { ...process.env, ...UNCOUNTED } })
    t.teardown(() => { this.#process.kill('SIGKILL') })
    this.#process.on('message', (said: Said) => {
      if ('delivered' in said) this.delivered.push(said.delivered)
      else if ('done' in said) this.isDone = true
    })
  }

  async start (): Promise<{ url: string, redirect: string }> {
    this.tell({ start: { globalKey: 'global-key-of-evolution', tokens: TOKENS } })
    const [said] = await once(this.#process, 'message') as [Extract<Said, { url: string }>]
    return said
  }

  tell (call: Call): void {
    this.#process.send(call)
  }
}

/** `serve`, on the same port and folder each time that it starts. */
class Server {
  readonly url: string
  readonly #t: Test
  readonly #directory: string
  readonly #env: NodeJS.ProcessEnv
  #process: ChildProcess | undefined

  constructor (t: Test, port: number, env: NodeJS.ProcessEnv) {
    this.#t = t
    this.url = `http://127.0.0.1:${port}`
    this.#directory = folder(t, [])
    this.#env = { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: String(port), AUTHENTICATION_API_KEY: KEY, WEBSOCKET_LOG_LEVEL: 'fatal', ...env }
    t.teardown(() => { this.#process?.kill('SIGKILL') })
  }

  /** @param dieBefore the so many-th answer to a webhook, when its event is stored; left out: it lives */
  async start (dieBefore?: number): Promise<void> {
    const hook = dieBefore === undefined ? {} : { NODE_OPTIONS: `--import=${pathToFileURL(fixture('die-before-answer.js')).href}`, DIE_BEFORE_ANSWER: String(dieBefore) }
    this.#process = spawn(process.execPath, [BIN, 'serve'], { cwd: this.#directory, env: { ...this.#env, ...hook }, stdio: ['ignore', 'ignore', 'inherit'] })
    await this.isHealthy()
  }

  async isHealthy (): Promise<void> {
    await answered(async () => await fetch(`${this.url}/health`).then(({ ok }) => ok, () => false))
  }

  async ended (): Promise<string> {
    const server = this.#process
    if (server?.signalCode !== null && server?.signalCode !== undefined) return server.signalCode
    const [, signal] = await once(server as ChildProcess, 'exit') as [number | null, string]
    return signal
  }

  async kill (): Promise<void> {
    this.#process?.kill('SIGKILL')
    this.#t.equal(await this.ended(), 'SIGKILL')
  }
}

/** A webhook as Evolution sends it. */
function webhookOf (url: string, instance: string, number: number): Webhook {
  const isLarge = number % (WEBHOOKS / LARGE) === 7
  const loss: Loss = number % 40 === 1 ? 'answer lost' : number % 40 === 2 ? 'time-out' : 'none'
  const body = JSON.stringify({
    ...number % 10 === 0 && { isLatest: true, progress: number },
    event: EVENTS[number % EVENTS.length],
    instance,
    data: { number, ...isLarge && { base64: 'A'.repeat(12_000_000) } },
    destination: url,
    date_time: new Date().toISOString(),
    sender: '5511@s.whatsapp.net',
    server_url: 'https://evolution.example',
    apikey: null
  })
  return { number, url, body, loss }
}

const numberOf = ({ data }: Message): number => (data as { number: number }).number

/** The numbers of the webhooks in messages, each once, in order. */
const numbersIn = (messages: readonly Message[]): number[] => [...new Set(messages.map(numberOf))].toSorted((a, b) => a - b)

function includesAll (messages: readonly Message[], numbers: readonly number[]): boolean {
  const found = new Set(messages.map(numberOf))
  return numbers.every(number => found.has(number))
}

t.test('beside an Evolution API: every webhook that was answered is received by who is entitled to it, through kills, lost answers and an outage', async t => {
  const evolution = new Evolution(t)
  const { url: evolutionUrl, redirect } = await evolution.start()
  const server = new Server(t, await freePort(), {
    EVOLUTION_API_URL: evolutionUrl,
    EVOLUTION_KEYS_TTL_MS: String(TTL),
    WEBSOCKET_GLOBAL_EVENTS: 'true',
    WEBSOCKET_RETENTION_MAX_BYTES: String(2 ** 30),
    CORS_ORIGIN: ORIGIN
  })
  await server.start()

  const ended: string[] = []
  const stock = new Map<string, StockClient>()
  const helpers = new Map<string, Message[]>()
  for (const [index, instance] of [...INSTANCES, TURNS].entries()) {
    const at = `${server.url}/${encodeURIComponent(instance)}`
    const page = { extraHeaders: { origin: ORIGIN }, transports: [transports[index % 2] as string], reconnectionDelayMax: 500 }
    const apikey = TOKENS[instance] as string
    const client = await StockClient.in(t, at, { ...page, auth: { apikey } })
    client.socket.on('disconnect', reason => { if (reason === 'io server disconnect') ended.push(instance) })
    stock.set(instance, client)
    const messages: Message[] = []
    const helper = connect(at, { apikey, forceNew: true, reconnectionDelayMax: 500, onError: () => {}, onGap: () => { t.fail(`a gap for ${instance}`) } })
    t.teardown(() => { helper.close() })
    helper.onAny((message: Message) => { messages.push(message) })
    helpers.set(instance, messages)
    await once(helper.socket as unknown as NodeJS.EventEmitter, 'connect')
  }
  const root = await StockClient.in(t, server.url, { extraHeaders: { origin: ORIGIN }, transports: ['websocket'], reconnectionDelayMax: 500, auth: { apikey: TOKENS.acme } })

  const webhookUrl = `${server.url.replace('//', `//x:${encodeURIComponent(KEY)}@`)}/webhook/evolution`
  const instanceOf = (number: number): string => number >= WEBHOOKS ? TURNS : INSTANCES[number % INSTANCES.length] as string
  const webhooks = Array.from({ length: WEBHOOKS }, (empty, number) => webhookOf(webhookUrl, instanceOf(number), number))
  const inTurn = Array.from({ length: IN_TURN }, (empty, index) => webhookOf(webhookUrl, TURNS, WEBHOOKS + index))
  const redirected = Array.from({ length: REDIRECTED }, (empty, index) =>
    ({ ...webhookOf(`${redirect}${encodeURIComponent(webhookUrl)}`, 'acme', WEBHOOKS + IN_TURN + index), loss: 'none' as const }))
  evolution.tell({ send: { webhooks: [...redirected, ...webhooks], inTurn, perSecond: PER_SECOND } })

  const back = async (): Promise<void> => { await eventually(() => [...stock.values(), root].every(({ socket }) => socket.connected)) }
  for (let kill = 1; kill <= KILLS; kill++) {
    await eventually(() => evolution.delivered.length > kill * WEBHOOKS / (KILLS + 2))
    await server.kill()
    if (kill % 2 === 1) {
      // And once more, between append and answer.
      await server.start(50)
      t.equal(await server.ended(), 'SIGKILL')
    }
    await server.start()
    await back()
  }

  evolution.tell({ fault: 'database away' })
  // How long it takes is the fault itself.
  await sleep(OUTAGE)
  evolution.tell({ fault: 'none' })
  await eventually(() => evolution.isDone)
  t.strictSame(ended, [], 'nobody is ended by the outage')

  const answered = evolution.delivered.filter(({ status }) => status === 200).map(({ number }) => number)
  // Those that a redirect has made a GET; on a slow machine others, of which some were stored and never answered.
  const gaveUp = new Set(evolution.delivered.filter(({ status }) => status === null).map(({ number }) => number))
  t.equal(answered.length + gaveUp.size, WEBHOOKS + IN_TURN + REDIRECTED)
  t.ok(answered.length > WEBHOOKS / 2, `${answered.length} were answered`)
  t.ok(evolution.delivered.filter(({ attempts }) => attempts > 1).length > WEBHOOKS / 20, 'many were repeated')
  for (const instance of [...INSTANCES, TURNS]) {
    const expected = answered.filter(number => instanceOf(number) === instance).toSorted((a, b) => a - b)
    const client = stock.get(instance) as StockClient
    const messages = helpers.get(instance) as Message[]
    await eventually(() => [messages, client.messages].every(each => includesAll(each, expected)))
    const numbersOf = (messages: readonly Message[]) => numbersIn(messages).filter(number => !gaveUp.has(number))
    t.strictSame(numbersOf(messages), expected, `${instance}: none is lost, and none is another tenant's`)
    t.notOk(messages.some(message => numberOf(message) >= WEBHOOKS + IN_TURN), 'none came by a redirect')
    t.equal(messages.length, numbersIn(messages).length, `${instance}: none comes twice`)
    t.strictSame(numbersOf(client.messages), expected, `${instance}: nor to a stock client`)
    const again = client.messages.length - numbersIn(client.messages).length
    t.ok(again <= client.held.length, `${again} came again, of ${client.held.length} that the client held back`)
    t.notOk(client.recovered.slice(1).includes(false), 'it was recovered each time')
  }
  const turns = (helpers.get(TURNS) as Message[]).map(numberOf)
  t.strictSame(turns, turns.toSorted((a, b) => a - b), 'one that waits keeps its order')
  const ofAcme = answered.filter(number => instanceOf(number) === 'acme').toSorted((a, b) => a - b)
  await eventually(() => includesAll(root.messages, ofAcme))
  t.strictSame(numbersIn(root.messages).filter(number => !gaveUp.has(number)), ofAcme, 'the root, with the token of acme')
  for (const [instance, messages] of helpers) t.ok(messages.every(message => message.instance === instance))
})
