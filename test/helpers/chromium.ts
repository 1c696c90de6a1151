import { existsSync } from 'node:fs'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import type { Scope } from './server.js'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** Why tests with a browser are skipped; `false`: they are not. */
export const withoutChromium: false | string = existsSync(executablePath) ? false : `there is no ${executablePath}: install Debian's package chromium, or say where it is by CHROMIUM`

/** A real Chromium, closed with the test. */
export async function startChromium (t: Scope): Promise<Browser> {
  const browser = await chromium.launch({ executablePath, args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'] })
  t.teardown(async () => { await browser.close() })
  return browser
}

/** A page, and what went wrong in it: errors, and requests to elsewhere. */
export interface Watched {
  readonly page: Page
  readonly faults: string[]
}

export async function openPage (browser: Browser, url: string, options: BrowserContextOptions = {}, ignore: RegExp = /^$/): Promise<Watched> {
  const context = await browser.newContext({ locale: 'en-US', ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(120_000)
  const faults: string[] = []
  const { host } = new URL(url)
  const fault = (text: string): void => { if (!ignore.test(text)) faults.push(text) }
  page.on('console', message => { if (message.type() === 'error' || message.type() === 'warning') fault(`console: ${message.text()}`) })
  page.on('pageerror', error => { fault(`error: ${error.message}`) })
  page.on('request', request => { if (new URL(request.url()).host !== host && !request.url().startsWith('data:')) fault(`request to ${request.url()}`) })
  await page.goto(url)
  return { page, faults }
}
