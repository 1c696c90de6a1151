// What the monitor's page costs the browser: `npm run monitor:load`, with Chromium at /usr/bin/chromium or $CHROMIUM.
// 500 events a second for 60 s, then on to 100,000 as fast as the page takes them; prints long tasks, the heap after a
// collection at 50,000 and 100,000 events, the size of the page, and how long the first event takes to be seen.
import Fastify from 'fastify'
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { chromium } from 'playwright-core'
import wsEvents from '../dist/index.js'
import monitor from '../dist/monitor/index.js'

const RATE = 500
const SECONDS = Number(process.env.SECONDS ?? 60)
const session = readFileSync(new URL('../example/session.jsonl', import.meta.url), 'utf8').trim().split('\n').map(line => JSON.parse(line))

const fastify = Fastify()
await fastify.register(wsEvents, { env: false, globalEvents: true })
await fastify.register(monitor, { prefix: '/monitor' })
await fastify.listen({ port: 0, host: '127.0.0.1' })
const [{ port }] = fastify.addresses()
const url = `http://127.0.0.1:${port}/monitor/`

let size = 0
for (const name of ['', 'page.js', 'page.css']) {
  const { rawPayload } = await fastify.inject({ url: `/monitor/${name}`, headers: { 'accept-encoding': 'br' } })
  size += rawPayload.length
}
console.log(`the page in Brotli: ${size} bytes`)

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'] })
const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
const cdp = await page.context().newCDPSession(page)
await cdp.send('Performance.enable')

let sent = 0
const emit = () => {
  const { instance, event, sender, data } = session[sent++ % session.length]
  return fastify.wsEvents.emit(instance, event, data, { sender })
}

/** Until the page has had what was sent. */
async function settled () {
  for (let before, now = await page.textContent('.count'); now !== before;) {
    await sleep(2000)
    before = now
    now = await page.textContent('.count')
  }
}

async function heap () {
  await cdp.send('HeapProfiler.collectGarbage')
  const { metrics } = await cdp.send('Performance.getMetrics')
  const of = name => metrics.find(metric => metric.name === name).value
  return { heap: of('JSHeapUsedSize'), nodes: of('Nodes') }
}

await page.goto(url)
await page.waitForFunction(() => document.querySelector('.status')?.classList.contains('is-live'))
const begin = performance.now()
await emit()
await page.locator('.row').first().waitFor()
console.log(`an event is seen ${Math.round(performance.now() - begin)} ms after it was emitted`)

await page.evaluate(() => {
  const tasks = []
  Object.assign(globalThis, { tasks })
  new PerformanceObserver(list => { tasks.push(...list.getEntries().map(({ duration }) => duration)) }).observe({ type: 'longtask' })
})
const started = performance.now()
for (let passed = 0; passed < SECONDS * 1000; passed = performance.now() - started) {
  const due = Math.floor(passed * RATE / 1000)
  for (let count = due - sent; count > 0; count--) void emit()
  await sleep(10)
}
const tasks = await page.evaluate(() => globalThis.tasks)
console.log(`${sent} events at ${RATE} a second: ${tasks.length} tasks longer than 50 ms${tasks.length > 0 ? `, in ms: ${tasks.map(Math.round).join(' ')}` : ''}`)

const heaps = new Map()
for (const count of [50_000, 100_000, 150_000]) {
  for (let left = count - sent; left > 0; left--) {
    await emit()
    // The page is not to be ended as a slow consumer.
    if (left % 100 === 0) await sleep(50)
  }
  await settled()
  heaps.set(count, await heap())
  const { heap: bytes, nodes } = heaps.get(count)
  console.log(`after ${count} events: heap ${(bytes / 1e6).toFixed(2)} MB, ${nodes} nodes, ${await page.textContent('.count')}`)
}
const growth = heaps.get(100_000).heap / heaps.get(50_000).heap - 1
console.log(`heap from 50,000 to 100,000 events: ${(growth * 100).toFixed(1)} %`)
await browser.close()
await fastify.close()
process.exitCode = growth > 0.1 ? 1 : 0
