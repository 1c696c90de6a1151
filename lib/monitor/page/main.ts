import type { MonitorState } from '../state.js'
import { type Access, readState, Refused, setInstance } from './api.js'
import { Chart } from './chart.js'
import { eachFrame, element } from './dom.js'
import { Feeds } from './feeds.js'
import { InstancesView } from './instances-view.js'
import { SkippedView } from './skipped-view.js'
import { StreamView } from './stream-view.js'
import { isLanguage, refusalText, speak, text, type TextName } from './texts.js'

/** How often configs and counts are asked for, in ms. */
const REFRESH = 3000
/** Instances that are watched unasked, in traditional mode. One connection may be in 256 namespaces by default. */
const WATCHED = 50
/** Where the key of this tab is kept. */
const KEY = 'fastify-ws-events monitor'

const status = element('status', HTMLElement)
const refusal = element('refusal', HTMLElement)
const setError = element('set-error', HTMLElement)
const replayed = element('replayed', HTMLElement)
const drop = element('drop', HTMLButtonElement)

let access: Access = { key: '', only: '', ...JSON.parse(sessionStorage.getItem(KEY) ?? '{}') as Partial<Access> }
let state: MonitorState | undefined
/** Counts openings: what an earlier one still waits for is nobody's any more. */
let opening = 0

const chart = new Chart(element('chart', HTMLElement), element('counts', HTMLElement))
const stream = new StreamView()
const skipped = new SkippedView()
const draw = eachFrame(render)

const feeds = new Feeds({
  message: message => {
    stream.add(message)
    chart.add(message.event)
  },
  changed: draw,
  headOf: async instance => {
    const { root, instances } = await readState(access)
    return instance === null ? root.head : instances.find(listed => listed.instance === instance)?.head ?? ''
  }
})

const instances = new InstancesView({
  set: (name, config) => { void change(name, config) },
  watch: name => { watch(name) }
})

function watch (instance: string | null): void {
  if (state !== undefined && state.path !== null) feeds.open(instance, state.path, access)
}

/** Asks the server what there is, and connects to it. */
async function open (): Promise<void> {
  const current = ++opening
  feeds.closeAll()
  stream.clear()
  chart.clear()
  state = undefined
  await refresh()
  if (current !== opening || state === undefined) return
  const { mode, instances: listed } = state as MonitorState
  if (mode === 'global' && access.only === '') watch(null)
  else for (const { instance } of listed.slice(0, WATCHED)) watch(instance)
  offer()
}

async function refresh (): Promise<void> {
  const current = opening
  try {
    const found = await readState(access)
    if (current !== opening) return
    state = found
    refusal.textContent = found.mode === 'disabled' ? text('DISABLED') : ''
    offer()
  } catch (error) {
    if (current === opening) refusal.textContent = wordsOf(error)
  }
  draw()
}

function wordsOf (error: unknown): string {
  if (!(error instanceof Refused)) return text('unreachable')
  return error.code === undefined
    ? text('failed', { status: error.status, message: error.message })
    : refusalText({ code: error.code, message: error.message })
}

async function change (name: string, config: object): Promise<void> {
  if (state === undefined || state.routes === null) return
  try {
    await setInstance(access, state.routes, name, config)
    setError.textContent = ''
    await refresh()
    const feed = feeds.find(name)
    // A client that was sent away stays away until it is told to come back.
    if (
      state.mode === 'traditional' && 'enabled' in config && config.enabled === true &&
      (feed === undefined || feed.status === 'ended' || feed.status === 'refused')
    ) {
      if (feed === undefined) watch(name)
      else feed.resume()
    }
  } catch (error) {
    setError.textContent = wordsOf(error)
  }
}

function offer (): void {
  if (state === undefined) return
  stream.offer(state.instances.map(({ instance }) => instance), state.events)
}

function render (): void {
  const all = feeds.all
  const live = all.filter(feed => feed.status === 'live').length
  const words = all.length === 0
    ? text('statusIdle')
    : feeds.isCut
      ? text('cut')
      : live === 0
        ? text(all.some(feed => feed.status === 'away') ? 'away' : 'connecting')
        : text('statusLive', { count: live, all: all.length })
  if (status.textContent !== words) status.textContent = words
  drop.textContent = text(feeds.isCut ? 'resume' : 'drop')
  drop.disabled = all.length === 0
  const { resumed } = feeds
  const came = feeds.isCut
    ? text('dropped')
    : resumed === undefined ? '' : resumed.recovered ? text('recovered', { count: resumed.count }) : text('gap')
  if (replayed.textContent !== came) replayed.textContent = came
  instances.draw(state, feeds)
  skipped.draw(state?.skipped ?? [])
}

function translate (language: string): void {
  if (!isLanguage(language)) return
  speak(language)
  document.documentElement.lang = language === 'pt' ? 'pt-BR' : language
  document.title = text('title')
  for (const each of document.querySelectorAll<HTMLElement>('[data-text]')) {
    each.textContent = text(each.dataset.text as TextName)
  }
  offer()
  chart.draw()
  draw()
}

// Choices

const languages = element('language', HTMLSelectElement)
languages.value = navigator.language.toLowerCase().startsWith('pt') ? 'pt' : 'en'
languages.addEventListener('input', () => { translate(languages.value) })

const themes = element('theme', HTMLSelectElement)
themes.addEventListener('input', () => {
  document.documentElement.dataset.theme = themes.value
  chart.draw()
})

const key = element('key', HTMLInputElement)
const only = element('only', HTMLInputElement)
key.value = access.key
only.value = access.only
element('access', HTMLFormElement).addEventListener('submit', event => {
  event.preventDefault()
  access = { key: key.value.trim(), only: only.value.trim() }
  sessionStorage.setItem(KEY, JSON.stringify(access))
  void open()
})
drop.addEventListener('click', () => {
  if (feeds.isCut) feeds.resume()
  else feeds.cut()
  draw()
})

translate(languages.value)
setInterval(() => {
  chart.draw()
  draw()
}, 1000)
setInterval(() => { void refresh() }, REFRESH)
void open()
