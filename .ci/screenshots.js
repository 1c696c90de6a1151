// Makes docs/images/ of the monitor: `npm run screenshots`, after `npm run build`, with Chromium at /usr/bin/chromium.
import Fastify from 'fastify'
import { mkdirSync, readFileSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { chromium } from 'playwright-core'
import wsEvents from '../dist/index.js'
import monitor from '../dist/monitor/index.js'

const session = readFileSync(new URL('../example/session.jsonl', import.meta.url), 'utf8').trim().split('\n').map(line => JSON.parse(line))
const images = new URL('../docs/images/', import.meta.url)
mkdirSync(images, { recursive: true })

const fastify = Fastify()
await fastify.register(wsEvents, { env: false })
await fastify.register(monitor, { prefix: '/monitor' })
for (const instance of new Set(session.map(line => line.instance))) await fastify.wsEvents.set(instance, { enabled: true })
await fastify.wsEvents.set('paused-shop', { enabled: false })
await fastify.listen({ port: 0, host: '127.0.0.1' })
const [{ port }] = fastify.addresses()

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'] })
const views = {
  'monitor-light': { colorScheme: 'light', viewport: { width: 1200, height: 1150 } },
  'monitor-dark': { colorScheme: 'dark', viewport: { width: 1200, height: 1150 } },
  'monitor-phone': { colorScheme: 'light', viewport: { width: 375, height: 1000 }, locale: 'pt-BR' }
}
const pages = await Promise.all(Object.values(views).map(async view => {
  const page = await (await browser.newContext(view)).newPage()
  await page.goto(`http://127.0.0.1:${port}/monitor/`)
  await page.waitForFunction(() => / \d+$/.test(document.getElementById('status').textContent))
  return page
}))
// For the chart to have a shape.
for (let second = 0; second < 40; second++) {
  const count = Math.round(20 + 15 * Math.sin(second / 5))
  for (const { instance, event, sender, data } of session.slice(second * 30, second * 30 + count)) await fastify.wsEvents.emit(instance, event, data, { sender })
  await sleep(1000)
}
for (const [at, name] of Object.keys(views).entries()) await pages[at].screenshot({ path: fileURLToPath(new URL(`${name}.png`, images)) })
await browser.close()
await fastify.close()
