/// <reference lib="dom" />
import Fastify, { type FastifyInstance } from 'fastify'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import type { Page } from 'playwright-core'
import wsEvents, { type WsEventsOptions } from '../../lib/index.js'
import { memoryStore } from '../../lib/stores/index.js'
import monitor from '../../lib/monitor/index.js'
import type { Emit, Said } from '../fixtures/monitored-server.js'
import { openPage, startChromium, withoutChromium, type Watched } from '../helpers/chromium.js'
import { listen } from '../helpers/client.js'
import { answered, eventually } from '../helpers/latch.js'
import { LOADER } from '../helpers/program.js'

interface Line { readonly instance: string, readonly event: string, readonly sender: string, readonly data: unknown }

/** The beginning of the recorded session. */
const session = readFileSync(new URL('../../example/session.jsonl', import.meta.url), 'utf8').split('\n', 60).map(line => JSON.parse(line) as Line)

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core'), 'utf8')

/** Chromium takes seconds to start: one for all tests. */
const skip = withoutChromium
const browser = skip === false ? await startChromium(t) : null

/** A server with the monitor, which has to be registered before it listens. */
async function serveMonitored (t: Test, options: WsEventsOptions, port = 0): Promise<{ fastify: FastifyInstance, url: string, port: number }> {
  const fastify = Fastify()
  t.teardown(async () => { await fastify.close() })
  await fastify.register(wsEvents, { env: false, ...options })
  await fastify.register(monitor, { prefix: '/monitor' })
  await fastify.listen({ port, host: '127.0.0.1' })
  const { port: at } = fastify.server.address() as AddressInfo
  return { fastify, url: `http://127.0.0.1:${at}`, port: at }
}

/** A page that is closed with its test: what is open takes CPU. */
async function watch (t: Test, url: string, options = {}, ignore?: RegExp): Promise<Watched> {
  if (browser === null) throw new Error('there is no browser')
  const watched = await openPage(browser, `${url}/monitor/`, options, ignore)
  t.teardown(async () => { await watched.page.context().close() })
  return watched
}

const live = async (page: Page, status = 'Live') => { await page.locator('.status [role=status]', { hasText: status }).waitFor() }
const counted = async (page: Page, words: string) => { await page.waitForFunction(words => document.querySelector('.count')?.textContent?.trim() === words, words) }
const tab = async (page: Page, name: string) => { await page.getByRole('navigation').getByRole('button', { name, exact: true }).click() }
const rows = async (page: Page) => await page.locator('.row').count()
/** A key that goes to nothing in particular. */
async function press (page: Page, key: string): Promise<void> {
  await page.evaluate(() => { (document.activeElement as HTMLElement | null)?.blur() })
  await page.keyboard.press(key)
}
const firstLine = (page: Page) => page.locator('.row[aria-posinset="1"]')

async function play (fastify: FastifyInstance, lines: readonly Line[] = session): Promise<void> {
  for (const { instance, event, sender, data } of lines) await fastify.wsEvents.emit(instance, event, data, { sender })
}

t.test('a played session is shown, filtered, searched, paused and looked at', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, {})
  const names = [...new Set(session.map(({ instance }) => instance))]
  for (const name of names) await fastify.wsEvents.set(name, { enabled: true })
  const { page, faults } = await watch(t, url)
  await live(page)
  await page.getByText('Waiting for the first event').waitFor()
  await eventually(() => fastify.wsEvents.clients().length === names.length)
  await play(fastify)
  await counted(page, `${session.length} events`)

  const [first] = session
  await page.getByText('Filter', { exact: true }).click()
  await page.getByRole('checkbox', { name: first?.instance ?? '', exact: true }).check()
  const own = session.filter(({ instance }) => instance === first?.instance)
  await counted(page, `${own.length} of ${session.length}`)
  await page.getByRole('checkbox', { name: 'messages.upsert', exact: true }).check()
  const both = own.filter(({ event }) => event === 'messages.upsert').length
  await counted(page, `${both} of ${session.length}`)
  t.match(page.url(), /#stream\?instance=.*&event=messages.upsert$/)
  await page.keyboard.press('Escape')
  const shared = page.url()
  await page.getByRole('button', { name: 'Remove messages.upsert' }).click()
  await counted(page, `${own.length} of ${session.length}`)
  await page.getByRole('button', { name: 'Clear the filter' }).click()
  await counted(page, `${session.length} events`)

  await fastify.wsEvents.emit(names[0] ?? '', 'messages.upsert', { key: { remoteJid: '5511999@s.whatsapp.net', fromMe: false }, pushName: 'Bia', message: { conversation: 'In The Haystack', imageMessage: undefined } })
  await press(page, '/')
  await page.keyboard.type('in the hay')
  await counted(page, `1 of ${session.length + 1}`)
  t.equal(await page.locator('.row mark').textContent(), 'In The Hay')
  t.notMatch(page.url(), /hay/, 'a text is not in the URL')
  await page.getByRole('listbox').press('ArrowDown')
  await page.locator('.detail .tree mark').first().waitFor()
  t.match(await page.locator('.detail').textContent(), /conversation: In The Haystack/)
  await page.getByRole('listbox').press('Escape')
  await page.fill('#search', '')
  await counted(page, `${session.length + 1} events`)

  await press(page, ' ')
  await page.getByRole('button', { name: 'Resume', pressed: true }).waitFor()
  const before = await firstLine(page).textContent()
  await play(fastify)
  await page.getByRole('button', { name: `${session.length} new` }).waitFor()
  t.equal(await firstLine(page).textContent(), before, 'nothing moves meanwhile')
  await page.getByRole('button', { name: `${session.length} new` }).click()
  await counted(page, `${session.length * 2 + 1} events`)
  await answered(async () => await firstLine(page).textContent() !== before)

  // A view that a colleague is sent.
  const { page: other } = await watch(t, url)
  await other.goto(shared)
  await live(other)
  await other.getByRole('button', { name: 'Remove messages.upsert' }).waitFor()
  t.strictSame(faults, [])
})

t.test('an event is shown with its picture, its neighbours, and what was too large to keep', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, { globalEvents: true })
  await fastify.wsEvents.set('acme', { enabled: true })
  const { page, faults } = await watch(t, url)
  await live(page)
  const beach = readFileSync(new URL('../../lib/bin/demo/pictures/beach.jpg', import.meta.url), 'base64')
  const image = (nr: number, more = {}) => ({ key: { remoteJid: '5511999@s.whatsapp.net', fromMe: false }, pushName: `Bia ${nr}`, message: { imageMessage: { caption: `nr ${nr}`, jpegThumbnail: beach }, ...more } })
  await fastify.wsEvents.emit('acme', 'messages.upsert', image(1))
  await fastify.wsEvents.emit('acme', 'call', { from: '1' })
  await fastify.wsEvents.emit('acme', 'messages.upsert', image(2, { base64: `/9j/${'A'.repeat(30_000)}`, note: 'a long text '.repeat(2000) }))
  await counted(page, '3 events')
  await firstLine(page).click()
  const detail = page.locator('.detail')
  await detail.locator('img.picture').waitFor()
  await answered(async () => await page.evaluate(() => document.querySelector<HTMLImageElement>('img.picture')?.naturalWidth) === 144)
  await detail.getByText('image/jpeg, 30 kB').waitFor()
  await detail.getByText('text, 24 kB').waitFor()
  await detail.getByRole('button', { name: 'Open' }).last().click()
  await detail.locator('pre.whole', { hasText: 'a long text a long text' }).waitFor()
  const [download] = await Promise.all([page.waitForEvent('download'), detail.getByRole('button', { name: 'Save' }).first().click()])
  t.match(download.suggestedFilename(), /base64\.jpeg$/)
  await detail.getByRole('button', { name: 'Previous of this chat' }).click()
  await detail.getByText('nr 1').waitFor()
  await answered(async () => await detail.getByRole('button', { name: 'Previous of this chat' }).isDisabled())
  await detail.getByRole('button', { name: 'Next messages.upsert' }).click()
  await detail.getByText('nr 2').waitFor()
  const [exported] = await Promise.all([page.waitForEvent('download'), (async () => {
    await page.getByLabel('More', { exact: true }).click()
    await page.getByRole('button', { name: 'Export as JSON lines' }).click()
  })()])
  const lines = readFileSync(await exported.path(), 'utf8').trim().split('\n').map(line => JSON.parse(line) as Line)
  t.strictSame(lines.map(({ event }) => event), ['messages.upsert', 'call', 'messages.upsert'])
  t.strictSame(faults, [])
})

t.test('what is missed while the connection is broken comes, and is counted by ids', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, {})
  for (const name of ['acme', 'globex']) await fastify.wsEvents.set(name, { enabled: true })
  const { page, faults } = await watch(t, url)
  await eventually(() => fastify.wsEvents.clients().length === 2)
  await fastify.wsEvents.emit('acme', 'call', 0)
  await counted(page, '1 event')
  await page.getByRole('button', { name: 'Break the connection' }).first().click()
  await eventually(() => fastify.wsEvents.clients().length === 0)
  for (let at = 1; at <= 20; at++) await fastify.wsEvents.emit(at % 2 === 0 ? 'acme' : 'globex', 'call', at)
  await page.getByText('Emitted meanwhile: 20').waitFor()
  await page.getByRole('button', { name: 'Reconnect now' }).click()
  await page.getByText('0 missed, 0 doubled').waitFor()
  await page.getByText('20 events were emitted since the break').waitFor()
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click()
  await counted(page, '21 events')
  t.strictSame(faults, [])
})

t.test('the past is read by its pages, as far back as it is stored', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, { defaultConfig: { enabled: true } })
  for (const name of ['acme', 'globex']) await fastify.wsEvents.set(name, { enabled: true })
  const { page, faults } = await watch(t, url)
  await eventually(() => fastify.wsEvents.clients().length === 2)
  for (let at = 0; at < 1200; at++) await fastify.wsEvents.emit(at % 3 === 0 ? 'acme' : 'globex', 'application.startup', { at })
  await counted(page, '1,200 events')
  await page.getByText('Time: Live').click()
  await page.getByRole('button', { name: 'Last 15 minutes' }).click()
  await page.getByText(/the store reaches back to/).waitFor()
  await counted(page, '1,200 events')
  t.match(await firstLine(page).textContent(), /at: 1199/, 'in the order in which they were emitted')
  t.match(page.url(), /from=.*&to=/)
  await fastify.wsEvents.emit('acme', 'application.startup', { at: 'live' })
  await page.getByRole('button', { name: 'Back to live' }).click()
  await counted(page, '1,201 events')
  t.strictSame(faults, [])
})

/** A server in a process of its own. */
class KilledServer {
  readonly #child: ChildProcess
  readonly port: Promise<number>

  constructor (t: Test, path: string, port: number) {
    this.#child = fork(fileURLToPath(new URL('../fixtures/monitored-server.ts', import.meta.url)), [String(port), path], { execArgv: [...LOADER] })
    this.port = this.#said().then(said => 'port' in said ? said.port : 0)
    t.teardown(() => this.#child.kill('SIGKILL'))
  }

  async #said (): Promise<Said> {
    const [said] = await once(this.#child, 'message') as [Said]
    return said
  }

  async emit (data: unknown): Promise<void> {
    this.#child.send({ emit: data } satisfies Emit)
    await this.#said()
  }

  async kill (): Promise<void> {
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }
}

t.test('nothing is missing after the server was killed and started again, and the page shows that it is away', { skip }, async t => {
  const path = await mkdtemp(join(tmpdir(), 'monitor-'))
  t.teardown(async () => { await rm(path, { recursive: true }) })
  const first = new KilledServer(t, path, 0)
  const port = await first.port
  const { page, faults } = await watch(t, `http://127.0.0.1:${port}`, {}, /status of 503|ERR_CONNECTION_REFUSED|WebSocket connection|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/)
  await live(page)
  await first.emit(0)
  await counted(page, '1 event')
  await first.kill()
  await live(page, 'Connection lost, trying again')
  const second = new KilledServer(t, path, port)
  await second.port
  await second.emit(1)
  await live(page)
  await second.emit(2)
  await counted(page, '3 events')
  t.strictSame((await page.locator('.row .words').allTextContents()), ['2', '1', '0'])
  t.strictSame(faults, [])
})

t.test('an instance is set, narrowed, disabled and enabled, and nobody is cut off unasked', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, {})
  const { page, faults } = await watch(t, url)
  await page.getByText('No instance is set yet').waitFor()
  await tab(page, 'Instances')
  await page.fill('#new-instance', 'acme')
  await page.getByRole('button', { name: 'Set and enable' }).click()
  const row = page.getByRole('button', { name: /^acme/ })
  await row.click()
  t.match(await fastify.wsEvents.find('acme'), { enabled: true })
  await eventually(() => fastify.wsEvents.clients().length === 1)
  await page.getByText('No client is connected to this node').waitFor()
  // The page is none.
  await row.filter({ hasText: '0 clients' }).waitFor()

  await page.getByRole('checkbox', { name: 'presence.update' }).uncheck()
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByText('30 of 31 events').waitFor()
  t.equal((await fastify.wsEvents.find('acme'))?.events.includes('PRESENCE_UPDATE'), false)
  await fastify.wsEvents.emit('acme', 'presence.update', {})
  await page.getByText(/1 of 1 events did not go to its clients.*not in its list of events/).waitFor()

  const { socket } = await listen(t, `${url}/acme`)
  await row.filter({ hasText: '1 client' }).waitFor()
  await page.getByRole('button', { name: 'Disable' }).click()
  await page.getByRole('dialog').getByText(/^Connected now: 1 client\. They are disconnected/).waitFor()
  await page.getByRole('button', { name: 'Cancel' }).click()
  t.equal(socket.connected, true)
  await page.getByRole('button', { name: 'Disconnect clients' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Disconnect clients' }).click()
  await eventually(() => !socket.connected)
  await row.filter({ hasText: '0 clients' }).waitFor()
  await page.getByRole('button', { name: 'Disable' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click()
  await page.getByRole('button', { name: 'Enable', exact: true }).waitFor()
  t.equal((await fastify.wsEvents.find('acme'))?.events.length, 30, 'switching off keeps the list')
  await page.getByText('The instance is disabled: its clients are refused').waitFor()
  await page.getByRole('button', { name: 'Enable', exact: true }).click()
  await row.filter({ hasText: 'enabled' }).waitFor()
  t.equal((await fastify.wsEvents.find('acme'))?.events.length, 30)
  t.strictSame(faults, [])
})

t.test('of a client that was refused there is a trace, with what to do', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, {})
  await fastify.wsEvents.set('acme', { enabled: true })
  const { page, faults } = await watch(t, url)
  await live(page)
  await fetch(`${url}/instance/globex/events`)
  await fastify.wsEvents.set('globex', { enabled: false })
  await fetch(`${url}/instance/globex/events`)
  await tab(page, 'Health')
  await page.locator('#refused').getByText('NOT_SET', { exact: true }).waitFor()
  await page.locator('#refused').getByText('The instance is disabled: enable it.').waitFor()
  await answered(async () => await page.locator('.plot canvas').count() === 4)
  await tab(page, 'Instances')
  await page.getByRole('button', { name: /^globex/ }).click()
  await page.getByText(/1 refused, the last .* ago from 127\.0\.0\.1: The instance is disabled/).waitFor()
  t.strictSame(faults, [])
})

t.test('a key is asked for when it is needed, a refusal is said in two languages, and signing out forgets it', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, { apikey: 'the-global-key', verify: ({ apikey, instance }) => apikey === 'key-of-acme' && instance === 'acme' })
  for (const name of ['acme', 'globex']) await fastify.wsEvents.set(name, { enabled: true })
  const { page, faults } = await watch(t, url, {}, /status of 40[13]/)
  await page.getByRole('heading', { name: 'Sign in to see the events' }).waitFor()
  t.equal(await page.getByRole('alert').count(), 0, 'nothing was refused yet')
  await page.fill('#key', 'a-wrong-key')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('The key does not open this').waitFor()
  await page.getByLabel('Language').selectOption('pt')
  await page.locator('html[lang=pt-BR]').waitFor()
  await page.fill('#key', 'key-of-acme')
  await page.getByRole('button', { name: 'Entrar' }).click()
  await page.getByText('A chave não abre isto').waitFor()
  await page.fill('#only', 'acme')
  await page.getByRole('button', { name: 'Entrar' }).click()
  await live(page, 'Ao vivo')
  await page.getByText('Chave de acme').click()
  await page.getByText('Você vê 1 instância e nada').waitFor()
  await tab(page, 'Instâncias')
  t.notMatch(await page.locator('main').textContent(), /globex/, 'nobody else is shown')
  await tab(page, 'Saúde')
  await page.getByText('A saúde do nó é mostrada a uma chave').waitFor()
  await page.reload()
  await page.getByText('Chave de acme').click()
  await page.getByRole('button', { name: 'Sair' }).click()
  await page.getByRole('heading', { name: 'Entre para ver os eventos' }).waitFor()
  t.equal(await page.evaluate(() => JSON.stringify([sessionStorage, localStorage]).includes('key-of')), false)
  await page.fill('#key', 'the-global-key')
  await page.getByRole('button', { name: 'Entrar' }).click()
  await page.getByText('Chave global').waitFor()
  t.notMatch(page.url(), /key/)
  t.strictSame(faults, [])
})

t.test('a store that is away is said', { skip }, async t => {
  const health = { available: false, pendingEvents: 7, pendingBytes: 100 }
  const memory = memoryStore()
  const store = { ...memory, open: async (options: Parameters<typeof memory.open>[0]) => ({ ...await memory.open(options), health: () => health }) }
  const { fastify, url } = await serveMonitored(t, { store, defaultConfig: { enabled: true } })
  const { page } = await watch(t, url, {}, /status of 503/)
  await page.getByText('The store does not answer. 7 events wait for it').waitFor()
  health.available = true
  await page.getByText('The store does not answer').waitFor({ state: 'detached' })
  t.equal(fastify.wsEvents.mode, 'traditional')
})

t.test('webhooks that were skipped are listed, in the language of the page, and are no markup', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, { evolution: true, defaultConfig: { enabled: true } })
  await fastify.wsEvents.set('acme', { enabled: true })
  const { page, faults } = await watch(t, url)
  for (const event of ['<img src=x>', 'no.such.event', 'no.such.event']) {
    const payload = { event, instance: 'acme', data: { nr: Math.random() }, date_time: new Date().toISOString() }
    t.equal((await fastify.inject({ method: 'POST', url: '/webhook/evolution', payload })).statusCode, 202)
  }
  await tab(page, 'Instances')
  await page.locator('#skipped').getByText('no.such.event').waitFor()
  t.match(await page.locator('#skipped tbody tr').first().textContent(), /^no\.such\.eventunknown event: .*2\d\d:\d\d:\d\d$/)
  t.equal(await page.locator('#skipped img').count(), 0)
  await page.getByRole('button', { name: /^acme/ }).click()
  await page.getByRole('button', { name: 'Mute' }).click()
  await page.getByRole('dialog').getByText('They stay connected and get no events').waitFor()
  await page.getByRole('button', { name: 'Cancel' }).click()
  await page.getByRole('button', { name: 'Settings' }).click()
  await page.getByLabel('Language').selectOption('pt')
  await page.keyboard.press('Escape')
  await page.locator('#skipped').getByText('evento desconhecido').first().waitFor()
  t.strictSame(faults, [])
})

t.test('data of events is never markup', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, { globalEvents: true, defaultConfig: { enabled: true } })
  const { page, faults } = await watch(t, url)
  await live(page)
  const hostile = '<img src=x onerror="document.title=\'broken\'"><script>document.title="broken"</script>'
  await fastify.wsEvents.emit('<b>acme', 'call', { [hostile]: hostile, from: hostile }, { sender: hostile })
  await counted(page, '1 event')
  await firstLine(page).click()
  t.match(await page.locator('.detail').textContent(), /<img src=x/)
  t.equal(await page.locator('main img, main script, .row b b').count(), 0)
  t.equal(await page.title(), 'Events')
  t.strictSame(faults, [])
})

async function violationsOf (page: Page): Promise<string[]> {
  // The page's policy forbids scripts from elsewhere, but not those of the one who drives it.
  await page.evaluate(axe)
  const { violations } = await page.evaluate(async () => await (globalThis as unknown as { axe: { run: () => Promise<{ violations: Array<{ id: string, nodes: Array<{ html: string }> }> }> } }).axe.run())
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' ')}`)
}

for (const [locale, colorScheme, width] of [['en-US', 'light', 1440], ['en-US', 'dark', 375], ['pt-BR', 'light', 375], ['pt-BR', 'dark', 1440]] as const) {
  t.test(`axe has nothing against any part of it: ${locale}, ${colorScheme}, ${width} pixels`, { skip }, async t => {
    const { fastify, url } = await serveMonitored(t, { evolution: true, defaultConfig: { enabled: true } })
    for (const name of ['acme', 'globex']) await fastify.wsEvents.set(name, { enabled: name === 'acme' })
    const { page, faults } = await watch(t, url, { locale, colorScheme, viewport: { width, height: 812 } })
    const check = async (what: string): Promise<void> => {
      t.strictSame(await violationsOf(page), [], what)
      const { wide, inner } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, inner: innerWidth }))
      t.ok(wide <= inner, `${what}: ${wide} of ${inner} pixels`)
    }
    await page.locator('.empty').first().waitFor()
    await check('empty')
    await eventually(() => fastify.wsEvents.clients().length === 2)
    for (const { event, data } of session) await fastify.wsEvents.emit('acme', event, data)
    await fastify.inject({ method: 'POST', url: '/webhook/evolution', payload: { event: 'no.such.event', instance: 'acme', data: {} } })
    await fetch(`${url}/instance/%2F/events`)
    await firstLine(page).click()
    await page.locator('.detail .tree').waitFor()
    await page.fill('#search', '55')
    await check('stream')
    t.ok((await page.locator('#list').boundingBox())?.height ?? 0 > 100)
    for (const at of [0, 1, 2]) {
      await page.locator('.controls summary').nth(at).click()
      await check(`menu ${at}`)
      await page.keyboard.press('Escape')
    }
    await page.locator('nav .tab').nth(1).click()
    await page.locator('.instance-row').first().click()
    await check('instances')
    await page.locator('.instance-panel .danger').first().click()
    await check('question')
    await page.keyboard.press('Escape')
    await page.locator('nav .tab').nth(2).click()
    await page.locator('.plot canvas').first().waitFor()
    await check('health')
    await page.locator('.tools > button').last().click()
    await check('settings')
    t.strictSame(faults, [])
  })
}

t.test('at 320 pixels and in 4K nothing is cut off, and on a phone the first event is on the first screen', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, { globalEvents: true })
  for (const [width, height] of [[320, 568], [375, 812], [3840, 2160]] as const) {
    const { page } = await watch(t, url, { viewport: { width, height } })
    await live(page)
    await fastify.wsEvents.emit('acme', 'call', { from: '5511900000001' })
    const box = await firstLine(page).boundingBox()
    t.ok((box?.y ?? Infinity) + (box?.height ?? 0) < 260, `the first event is at ${box?.y} of ${height}`)
    t.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} pixels`)
    await page.close()
  }
})

t.test('it can be used by keyboard alone, and single keys can be switched off', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, {})
  await fastify.wsEvents.set('acme', { enabled: true })
  const { page, faults } = await watch(t, url)
  await eventually(() => fastify.wsEvents.clients().length === 1)
  for (let at = 0; at < 300; at++) await fastify.wsEvents.emit('acme', 'application.startup', { at })
  await counted(page, '300 events')
  const seen: string[] = []
  for (let step = 0; step < 20; step++) {
    await page.keyboard.press('Tab')
    seen.push(await page.evaluate(() => { const { id = '', textContent = '', ariaLabel = '' } = document.activeElement ?? {}; return id || (ariaLabel ?? '') || (textContent ?? '') }))
  }
  for (const name of ['Skip to the content', 'Stream', 'Health', 'Break the connection', 'search', 'Filter', 'Pause', 'More', 'list']) t.ok(seen.includes(name), `${name} is reached: ${seen.join('|')}`)
  await press(page, 'ArrowDown')
  await page.keyboard.press('End')
  await page.locator('.row[aria-selected=true]', { hasText: 'at: 0' }).waitFor()
  await page.keyboard.press('PageUp')
  await page.keyboard.press('Home')
  await page.keyboard.press('ArrowDown')
  await page.locator('.row[aria-selected=true]', { hasText: 'at: 298' }).waitFor()
  await answered(async () => await page.getAttribute('#list', 'aria-activedescendant') === await page.getAttribute('.row[aria-selected=true]', 'id'))
  await page.keyboard.press('?')
  await page.getByRole('dialog').getByText('pause and resume').waitFor()
  await page.getByRole('checkbox', { name: 'Single-key shortcuts' }).uncheck()
  await page.keyboard.press('Escape')
  await press(page, '?')
  await press(page, ' ')
  t.equal(await page.getByRole('dialog').count(), 0)
  await page.getByRole('button', { name: 'Pause', pressed: false }).waitFor()
  t.strictSame(faults, [])
})

t.test('of many events only a screen is in the document', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, { globalEvents: true })
  const { page, faults } = await watch(t, url)
  await live(page)
  for (let at = 0; at < 10_000; at++) void fastify.wsEvents.emit('acme', 'application.startup', { at })
  await counted(page, '10,000 events')
  t.ok(await rows(page) < 60, `${await rows(page)} rows`)
  await page.evaluate(() => { const list = document.getElementById('list'); if (list !== null) list.scrollTop = list.scrollHeight })
  await page.locator('.row', { hasText: /at: 0$/ }).waitFor()
  t.ok(await rows(page) < 60)
  await fastify.wsEvents.emit('acme', 'application.startup', { at: 'later' })
  await page.getByRole('button', { name: '1 new' }).waitFor()
  await page.locator('.row', { hasText: /at: 0$/ }).waitFor()
  t.strictSame(faults, [])
})
