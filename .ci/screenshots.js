// Makes docs/images/ of the monitor: `npm run screenshots`, with Chromium at /usr/bin/chromium or $CHROMIUM. Where PNG
// names a folder, the pictures are put there as PNG too. Emoji and Chinese names need fonts: on Debian,
// fonts-noto-color-emoji and fonts-wqy-zenhei.
import Fastify from 'fastify'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { brotliDecompressSync } from 'node:zlib'
import { chromium } from 'playwright-core'
import wsEvents from '../dist/index.js'
import monitor from '../dist/monitor/index.js'
import { memoryStore } from '../dist/stores/index.js'

const QUALITY = 0.82
const DESKTOP = { width: 1280, height: 760 }
const PHONE = { width: 375, height: 760 }

// With pictures, as the demonstration has it.
const session = brotliDecompressSync(readFileSync(new URL('../dist/bin/demo/session.jsonl.br', import.meta.url)))
  .toString().trim().split('\n').map(line => JSON.parse(line))
const names = [...new Set(session.map(({ instance }) => instance))]
const images = new URL('../docs/images/', import.meta.url)
mkdirSync(images, { recursive: true })

/** A server whose store can be said to be away. */
async function serve (options = {}) {
  const health = { available: true, pendingEvents: 0, pendingBytes: 0 }
  const memory = memoryStore()
  const store = { ...memory, open: async opening => ({ ...await memory.open(opening), health: () => health }) }
  const fastify = Fastify()
  await fastify.register(wsEvents, { env: false, store, ...options })
  await fastify.register(monitor, { prefix: '/monitor' })
  await fastify.listen({ port: 0, host: '127.0.0.1' })
  return { fastify, health, url: `http://127.0.0.1:${fastify.addresses()[0].port}/monitor/` }
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'] })

async function open (url, options = {}) {
  const context = await browser.newContext({ viewport: DESKTOP, locale: 'en-US', colorScheme: 'light', ...options })
  const page = await context.newPage()
  await page.goto(url)
  return page
}

/** WebP takes a quarter of PNG. */
async function shoot (page, name) {
  const png = await page.screenshot()
  if (process.env.PNG !== undefined) writeFileSync(join(process.env.PNG, `${name}.png`), png)
  const painter = await browser.newPage()
  const webp = await painter.evaluate(async ([source, quality]) => {
    const image = await globalThis.createImageBitmap(await (await fetch(source)).blob())
    const canvas = new globalThis.OffscreenCanvas(image.width, image.height)
    canvas.getContext('2d').drawImage(image, 0, 0)
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/webp', quality })).arrayBuffer())
    return Array.from(bytes)
  }, [`data:image/png;base64,${png.toString('base64')}`, QUALITY])
  await painter.close()
  writeFileSync(new URL(`monitor-${name}.webp`, images), Uint8Array.from(webp))
  console.log(`monitor-${name}.webp: ${webp.length} bytes`)
}

const row = (page, content) => page.locator('.row', { hasText: content }).first()

// Signed out, refused, empty
const guarded = await serve({ apikey: 'a-global-key' })
const keyed = await open(guarded.url)
await keyed.locator('#key').waitFor()
await shoot(keyed, 'signed-out')
await keyed.fill('#key', 'the-key-of-acme')
await keyed.locator('.primary').click()
await keyed.locator('.bad').waitFor()
await shoot(keyed, 'refused')
await guarded.fastify.wsEvents.set('acme', { enabled: true })
await keyed.fill('#key', 'a-global-key')
await keyed.locator('.primary').click()
await keyed.locator('.code').waitFor()
await shoot(keyed, 'empty')
await guarded.fastify.close()

// A session that is played
const { fastify, health, url } = await serve()
for (const instance of names) await fastify.wsEvents.set(instance, { enabled: true })
await fastify.wsEvents.set('paused-shop', { enabled: false })
const views = {
  light: {}, dark: { colorScheme: 'dark' }, phone: { viewport: PHONE, locale: 'pt-BR' }, live: {}, paused: {}, instances: {}, health: {}
}
const pages = {}
for (const [name, options] of Object.entries(views)) {
  pages[name] = await open(url, options)
  await pages[name].waitForFunction(() => document.querySelector('.status')?.classList.contains('is-live'))
}
await pages.health.locator('nav .tab').nth(2).click()
await pages.instances.locator('nav .tab').nth(1).click()
await fetch(`${url}../instance/paused-shop/events`)
await fetch(`${url}../instance/old-shop/events`)
let at = 0
/** For the charts to have a shape. */
async function play (seconds) {
  for (let second = 0; second < seconds; second++) {
    const count = Math.round(6 + 5 * Math.sin(at / 20))
    for (let step = 0; step < count; step++) {
      const { instance, event, sender, data } = session[at++ % session.length]
      await fastify.wsEvents.emit(instance, event, data, { sender })
      await sleep(1000 / count)
    }
  }
}
await play(25)
const emit = ({ instance, event, sender, data }) => fastify.wsEvents.emit(instance, event, data, { sender })
await emit(session.find(({ data }) => data.messageType === 'imageMessage' && !data.key.fromMe))
for (const line of session.slice(100, 104)) await emit(line)
for (const name of ['light', 'dark', 'phone']) await row(pages[name], /image|imagem/).click()
await pages.paused.locator('.controls .button', { hasText: 'Pause' }).click()
await pages.paused.fill('#search', 'pedido')
await pages.instances.locator('.instance-row', { hasText: 'paused-shop' }).click()
await play(3)
for (const name of Object.keys(pages)) await shoot(pages[name], name)
Object.assign(health, { available: false, pendingEvents: 42 })
await pages.live.locator('.banner').waitFor()
await shoot(pages.live, 'store-away')
await browser.close()
await fastify.close()
