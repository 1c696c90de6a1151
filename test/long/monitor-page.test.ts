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
import monitor from '../../lib/monitor/index.js'
import type { Emit, Said } from '../fixtures/monitored-server.js'
import { openPage, startChromium, withoutChromium, type Watched } from '../helpers/chromium.js'
import { eventually } from '../helpers/latch.js'
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

async function watch (url: string, options = {}, ignore?: RegExp): Promise<Watched> {
  if (browser === null) throw new Error('there is no browser')
  return await openPage(browser, `${url}/monitor/`, options, ignore)
}

const live = async (page: Page, count: number) => { await page.waitForFunction(words => document.getElementById('status')?.textContent === words, `live: ${count} of ${count}`) }
const contains = async (page: Page, id: string, words: string) => { await page.waitForFunction(([id = '', words = '']) => document.getElementById(id)?.textContent?.includes(words) === true, [id, words]) }
const captionHas = async (page: Page, words: string) => { await contains(page, 'shown', words) }
const textOf = async (page: Page, selector: string) => (await page.textContent(selector) ?? '').trim()
const rows = async (page: Page) => await page.locator('#rows tr').count()

t.test('a played session is shown, filtered, searched, and paused', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, { defaultConfig: { enabled: true } })
  const names = [...new Set(session.map(({ instance }) => instance))]
  for (const name of names) await fastify.wsEvents.set(name, { enabled: true })
  const { page, faults } = await watch(url)
  await live(page, names.length)
  const play = async () => { for (const { instance, event, sender, data } of session) await fastify.wsEvents.emit(instance, event, data, { sender }) }
  await play()
  await captionHas(page, `${session.length} have come`)
  t.equal(await rows(page), session.length)

  const [first] = session
  await page.selectOption('#by-instance', first?.instance ?? '')
  const own = session.filter(({ instance }) => instance === first?.instance).length
  await captionHas(page, `${own} shown of`)
  t.equal(await rows(page), own)
  await page.selectOption('#by-event', first?.event ?? '')
  await captionHas(page, `${session.filter(({ instance, event }) => instance === first?.instance && event === first.event).length} shown of`)
  await page.selectOption('#by-instance', '')
  await page.selectOption('#by-event', '')

  await fastify.wsEvents.emit(names[0] ?? '', 'call', { needle: 'In The Haystack' })
  await page.fill('#search', 'in the hay')
  await captionHas(page, '1 shown of')
  await page.getByRole('button', { name: /^Show call of/ }).click()
  t.match(await textOf(page, '#message-text'), /"needle": "In The Haystack"/)
  await page.keyboard.press('Escape')
  await page.fill('#search', '')
  await captionHas(page, `${session.length + 1} shown of`)

  await page.click('#pause')
  await page.waitForSelector('#pause[aria-pressed=true]')
  await play()
  await page.waitForFunction(words => document.getElementById('pause')?.textContent === words, `Go on (${session.length} new)`)
  t.equal(await rows(page), session.length + 1, 'nothing moves meanwhile')
  await page.click('#pause')
  await captionHas(page, `${session.length * 2 + 1} have come`)
  t.equal(await rows(page), session.length * 2 + 1)
  await contains(page, 'counts', `${session.length * 2 + 1} in all`)
  await contains(page, 'instances', `${session.at(-1)?.event ?? ''}, `)
  t.strictSame(faults, [])
})

t.test('what is missed while the connection is cut comes at a click', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, { globalEvents: true })
  const { page, faults } = await watch(url)
  await live(page, 1)
  await fastify.wsEvents.emit('acme', 'call', 0)
  await captionHas(page, '1 have come')
  await page.click('#drop')
  await page.waitForFunction(() => document.getElementById('drop')?.textContent === 'Resume')
  await eventually(() => fastify.wsEvents.stats().clients.atRoot === 0)
  for (let at = 1; at <= 20; at++) await fastify.wsEvents.emit('acme', 'call', at)
  await page.click('#drop')
  await page.waitForFunction(() => document.getElementById('replayed')?.textContent === 'Resumed: 20 missed events were brought, nothing is missing.')
  await captionHas(page, '21 have come')
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
  const { page, faults } = await watch(`http://127.0.0.1:${port}`, {}, /status of 503|ERR_CONNECTION_REFUSED|WebSocket connection|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/)
  await live(page, 1)
  await first.emit(0)
  await captionHas(page, '1 have come')
  await first.kill()
  await page.waitForFunction(() => document.getElementById('status')?.textContent === 'connection lost, trying again')
  const second = new KilledServer(t, path, port)
  await second.port
  await second.emit(1)
  await live(page, 1)
  await second.emit(2)
  await captionHas(page, '3 have come')
  t.strictSame((await page.locator('#rows td.data').allTextContents()), ['2', '1', '0'])
  t.strictSame(faults, [])
})

t.test('an instance is set, switched off and on by the routes', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, {})
  const { page, faults } = await watch(url)
  await page.fill('#new-instance', 'acme')
  await page.getByRole('button', { name: 'Set and enable' }).click()
  await live(page, 1)
  t.match(await fastify.wsEvents.find('acme'), { enabled: true })
  await fastify.wsEvents.set('acme', { enabled: true, events: ['CHATS_SET', 'CALL'] })
  await page.getByRole('button', { name: 'Disable acme' }).click()
  await page.getByRole('button', { name: 'Enable acme' }).waitFor()
  t.strictSame(await fastify.wsEvents.find('acme'), { instance: 'acme', enabled: false, events: ['CHATS_SET', 'CALL'] })
  await contains(page, 'instances', 'ended by the server')
  await contains(page, 'instances', 'disabled')
  await page.getByRole('button', { name: 'Enable acme' }).click()
  await live(page, 1)
  t.strictSame(await fastify.wsEvents.find('acme'), { instance: 'acme', enabled: true, events: ['CHATS_SET', 'CALL'] }, 'the two buttons keep its list')
  await fastify.wsEvents.emit('acme', 'call', null)
  await captionHas(page, '1 have come')
  t.strictSame(faults, [])
})

t.test('a refusal is said in plain words, in two languages, and a key opens', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, { apikey: 'the-global-key', verify: ({ apikey, instance }) => apikey === 'key-of-acme' && instance === 'acme' })
  await fastify.wsEvents.set('acme', { enabled: true })
  await fastify.wsEvents.set('globex', { enabled: true })
  const refused = /status of 40[13]/
  const { page, faults } = await watch(url, {}, refused)
  const refusal = async (words: RegExp) => { await page.waitForFunction(source => new RegExp(source).test(document.getElementById('refusal')?.textContent ?? ''), words.source) }
  await refusal(/^A key is needed/)
  await page.fill('#key', 'a-wrong-key')
  await page.click('#access button')
  await refusal(/^This key does not open this/)
  await page.selectOption('#language', 'pt')
  t.equal(await page.getAttribute('html', 'lang'), 'pt-BR')
  await page.fill('#key', 'key-of-acme')
  await page.click('#access button')
  await refusal(/^Esta chave não abre isto/)
  await page.selectOption('#language', 'en')
  await page.fill('#only', 'acme')
  await page.click('#access button')
  await live(page, 1)
  t.match(await textOf(page, '#instances'), /acme/)
  t.notMatch(await textOf(page, '#instances'), /globex/, 'nobody else is shown')
  await page.fill('#key', 'the-global-key')
  await page.fill('#only', '')
  await page.click('#access button')
  await live(page, 2)
  await page.reload()
  await live(page, 2)
  t.notMatch(page.url(), /key/)
  t.strictSame(faults, [])
})

t.test('webhooks that were skipped are listed, in the language of the page, and are no markup', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, { evolution: true, defaultConfig: { enabled: true } })
  const { page, faults } = await watch(url)
  await page.waitForSelector('#skipped-section', { state: 'hidden' })
  for (const event of ['<img src=x>', 'no.such.event', 'no.such.event']) {
    const payload = { event, instance: 'acme', data: { nr: Math.random() }, date_time: new Date().toISOString() }
    t.equal((await fastify.inject({ method: 'POST', url: '/webhook/evolution', payload })).statusCode, 202)
  }
  await contains(page, 'skipped', 'no.such.event')
  t.match(await textOf(page, '#skipped tr:first-child'), /^no\.such\.eventunknown event: .*2\d\d:\d\d:\d\d$/)
  await contains(page, 'skipped', '<img src=x>')
  t.equal(await page.locator('#skipped img').count(), 0)
  await page.selectOption('#language', 'pt')
  await contains(page, 'skipped', 'evento desconhecido')
  t.strictSame(faults, [])
})

t.test('data of events is never markup', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, { globalEvents: true, defaultConfig: { enabled: true } })
  const { page, faults } = await watch(url)
  await live(page, 1)
  const hostile = '<img src=x onerror="document.title=\'broken\'"><script>document.title="broken"</script>'
  await fastify.wsEvents.emit('<b>acme<', 'call', { hostile }, { sender: hostile }).catch(() => fastify.wsEvents.emit('<b>acme', 'call', { hostile }))
  await captionHas(page, '1 have come')
  await page.getByRole('button', { name: /^Show call of/ }).click()
  t.match(await textOf(page, '#message-text'), /<img src=x/)
  t.equal(await page.locator('#rows img, #message img, #rows script, #rows b').count(), 0)
  t.equal(await page.title(), 'Events')
  t.strictSame(faults, [])
})

for (const colorScheme of ['light', 'dark'] as const) {
  t.test(`at 375 pixels and in ${colorScheme} colours it can be used, and axe has nothing serious against it`, { skip }, async t => {
    const { fastify, url } = await serveMonitored(t, { evolution: true, defaultConfig: { enabled: true } })
    for (const name of ['acme', 'globex']) await fastify.wsEvents.set(name, { enabled: name === 'acme' })
    const { page, faults } = await watch(url, { colorScheme, viewport: { width: 375, height: 700 } })
    await page.waitForFunction(() => document.getElementById('status')?.textContent === 'live: 2 of 2')
    for (const { event, data } of session.slice(0, 30)) await fastify.wsEvents.emit('acme', event, data)
    await captionHas(page, '30 have come')
    await fastify.inject({ method: 'POST', url: '/webhook/evolution', payload: { event: 'no.such.event', instance: 'acme', data: {} } })
    await contains(page, 'skipped', 'no.such.event')
    const { wide, inner } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, inner: innerWidth }))
    t.ok(wide <= inner, `${wide} of ${inner} pixels`)
    // The page's policy forbids scripts from elsewhere, but not those of the one who drives it.
    await page.evaluate(axe)
    const { violations } = await page.evaluate(async () => await (globalThis as unknown as { axe: { run: () => Promise<{ violations: Array<{ id: string, impact: string, nodes: Array<{ html: string }> }> }> } }).axe.run())
    t.strictSame(violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`), [])
    t.strictSame(faults, [])
  })
}

t.test('it can be used by keyboard alone', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, { defaultConfig: { enabled: true } })
  await fastify.wsEvents.set('acme', { enabled: true })
  const { page } = await watch(url)
  await live(page, 1)
  await fastify.wsEvents.emit('acme', 'call', { a: 1 })
  await captionHas(page, '1 have come')
  const seen: string[] = []
  for (let step = 0; step < 25; step++) {
    await page.keyboard.press('Tab')
    const name = await page.evaluate(() => document.activeElement?.id !== '' ? document.activeElement?.id : document.activeElement.textContent)
    seen.push(name ?? '')
  }
  for (const name of ['language', 'theme', 'key', 'only', 'pause', 'by-instance', 'by-event', 'search', 'drop', 'call', 'new-instance', 'disable acme']) t.ok(seen.includes(name), name)
})

t.test('many events leave it responsive', { skip }, async t => {
  const { fastify, url } = await serveMonitored(t, { globalEvents: true })
  const { page, faults } = await watch(url)
  await live(page, 1)
  await page.evaluate(() => {
    const tasks: number[] = []
    Object.assign(globalThis, { tasks })
    new PerformanceObserver(list => { tasks.push(...list.getEntries().map(({ duration }) => duration)) }).observe({ type: 'longtask' })
  })
  const COUNT = 10_000
  const RATE = 500
  const started = performance.now()
  for (let sent = 0; sent < COUNT;) {
    const due = Math.min(COUNT, Math.ceil((performance.now() - started) * RATE / 1000))
    for (; sent < due; sent++) {
      const { event, data } = session[sent % session.length] as Line
      void fastify.wsEvents.emit('acme', event, data)
    }
    await new Promise(resolve => { setTimeout(resolve, 10) })
  }
  await captionHas(page, '10000 have come')
  const tasks = await page.evaluate(() => (globalThis as unknown as { tasks: number[] }).tasks)
  t.comment(`${COUNT} events at ${RATE} a second: ${tasks.length} long tasks, the longest ${Math.round(Math.max(0, ...tasks))} ms`)
  t.ok(await rows(page) <= 150, 'the table is bounded')
  t.strictSame(faults, [])
})
