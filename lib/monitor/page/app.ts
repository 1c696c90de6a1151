import type { Message } from '../../types.js'
import type { MonitorState } from '../state.js'
import { type Access, Api, Refused } from './api.js'
import { Feeds } from './feeds.js'
import { HealthHistory, Rate } from './model/rates.js'
import { Ring } from './model/ring.js'
import { fromFragment, Matches, type Tab, toFragment, type View } from './model/view.js'
import { HistoryReader } from './history.js'
import { type Language, LANGUAGES, refusalText, speak, text } from './texts.js'
import { BREAK, Trial } from './trial.js'

/** Events that are kept, and their bytes. */
export const CAPACITY = 100_000
const BYTES = 48 * 1024 * 1024
/** How often the state is asked for, in ms; more often while the connection is broken on purpose. */
const REFRESH = 3000
const TRIAL_REFRESH = 1000
/** Instances that are followed unasked, in traditional mode. One connection may be in 256 namespaces by default. */
const FOLLOWED = 50
/** How much of the history is read at the start, in ms. */
const RECENT = 60_000
/** Between two drawings of the stream, in ms: nobody reads faster. */
const DRAW = 100
/** Time of a frame that looking for a text may take, in ms. */
const SCAN = 8
/** A delay above this is no delay: the application has given the event a time of its own, in ms. */
const MAX_DELAY = 600_000
/** Where the key of this tab is kept, and what is chosen on this machine. */
const KEY = 'fastify-ws-events monitor'
const SETTINGS = 'fastify-ws-events monitor settings'

export interface Settings {
  readonly language: Language
  /** Empty: as the system. */
  readonly theme: '' | 'light' | 'dark'
  /** Whether single keys do something. */
  readonly shortcuts: boolean
}

/** What stands in the way of seeing anything. */
export interface Problem {
  readonly code: string
  readonly message: string
}

export type Instance = MonitorState['instances'][number]
export type Dialog = 'help' | 'settings' | 'trial' | null

const stored = (storage: Storage, name: string): object => JSON.parse(storage.getItem(name) ?? '{}') as object

const preferred = (): Language =>
  LANGUAGES.find(language => navigator.language.toLowerCase().startsWith(language)) ?? 'en'

/** All that the page knows, and what can be done. Whoever changes something calls `changed`. */
export class App {
  settings: Settings = { language: preferred(), theme: '', shortcuts: true, ...stored(localStorage, SETTINGS) }
  api = new Api({ key: '', only: '', ...stored(sessionStorage, KEY) })
  state: MonitorState | null = null
  problem: Problem | null = null
  readonly ring = new Ring(CAPACITY, BYTES)
  matches: Matches
  history: HistoryReader | null = null
  tab: Tab
  view: View
  selected: number | null = null
  isPaused = false
  /** The newest event that is shown, while the list stays where it is. */
  anchor: number | null = null
  /** All that have come. */
  count = 0
  readonly total = new Rate()
  // Map(instance -> its events per second, when its last event arrived, the state of its WhatsApp connection)
  readonly rates = new Map<string, Rate>()
  readonly lastSeen = new Map<string, number>()
  readonly whatsapp = new Map<string, string>()
  readonly health = new HealthHistory()
  readonly feeds: Feeds
  trial: Trial | null = null
  /** What the server had emitted when the trial began. */
  trialBase = 0
  dialog: Dialog = null
  /** What was done, for a moment. */
  notice = ''
  /** Server's clock minus this machine's, in ms. */
  skew = 0
  /** Instances that are followed, or about to be. */
  readonly #followed = new Set<string>()
  readonly #draw: () => void
  #isDrawn = true
  #streamTimer: ReturnType<typeof setTimeout> | undefined
  #noticeTimer: ReturnType<typeof setTimeout> | undefined
  #refreshTimer: ReturnType<typeof setTimeout> | undefined
  /** Counts openings: what an earlier one still waits for is nobody's any more. */
  #opening = 0

  constructor (draw: () => void) {
    this.#draw = draw
    const { tab, view } = fromFragment(location.hash)
    this.tab = tab
    this.view = view
    this.matches = new Matches(this.ring, view)
    this.feeds = new Feeds({
      message: (message, isReplayed) => { this.#hear(message, isReplayed) },
      raw: id => { this.trial?.received(id) },
      changed: () => { this.changed() },
      resumed: recovered => { this.notify(text(recovered ? 'resumed' : 'gap')) },
      now: () => this.now()
    })
    speak(this.settings.language)
  }

  /** By the server's clock. */
  now (): number {
    return Date.now() + this.skew
  }

  // Drawing

  /** Has the page drawn before the next picture, once, however often it is called. */
  changed (): void {
    if (!this.#isDrawn) return
    this.#isDrawn = false
    requestAnimationFrame(() => {
      this.#isDrawn = true
      const { matches } = this.shown
      matches.trim()
      matches.scan(performance.now() + SCAN, () => performance.now())
      this.#draw()
      if (!matches.isComplete) this.changed()
    })
  }

  #streamed (): void {
    this.#streamTimer ??= setTimeout(() => {
      this.#streamTimer = undefined
      this.changed()
    }, DRAW)
  }

  notify (notice: string): void {
    this.notice = notice
    clearTimeout(this.#noticeTimer)
    this.#noticeTimer = setTimeout(() => { this.notice = ''; this.changed() }, 5000)
    this.changed()
  }

  choose (settings: Partial<Settings>): void {
    this.settings = { ...this.settings, ...settings }
    localStorage.setItem(SETTINGS, JSON.stringify(this.settings))
    speak(this.settings.language)
    this.changed()
  }

  open (dialog: Dialog): void {
    this.dialog = dialog
    this.changed()
  }

  // The stream

  get shown (): { readonly ring: Ring, readonly matches: Matches } {
    return this.history ?? this
  }

  /** Events that have come since the list stands still. */
  get waiting (): number {
    return this.anchor === null ? 0 : this.shown.matches.newerThan(this.anchor)
  }

  #hear (message: Message, isReplayed: boolean): void {
    const { instance, event } = message
    const delay = this.now() - Date.parse(message.date_time)
    const seq = this.ring.add(message, { delay: isReplayed || delay > MAX_DELAY ? null : Math.max(0, delay) })
    if (seq !== null) this.matches.added(seq)
    this.count++
    if (!isReplayed) {
      const rate = this.rates.get(instance) ?? new Rate()
      this.rates.set(instance, rate)
      rate.add(Date.now())
      this.total.add(Date.now())
    }
    this.lastSeen.set(instance, Math.max(this.lastSeen.get(instance) ?? 0, Date.parse(message.date_time)))
    const { state } = (message.data ?? {}) as { state?: unknown }
    if (event === 'connection.update' && typeof state === 'string') this.whatsapp.set(instance, state)
    this.#streamed()
  }

  /** Keeps the list where it is, or lets it go on. */
  hold (isHeld: boolean): void {
    const anchor = isHeld || this.isPaused ? this.anchor ?? this.shown.matches.at(0) ?? null : null
    if (anchor === this.anchor) return
    this.anchor = anchor
    this.changed()
  }

  pause (isPaused = !this.isPaused): void {
    this.isPaused = isPaused
    this.anchor = null
    this.hold(isPaused)
    this.changed()
  }

  select (seq: number | null): void {
    this.selected = seq
    this.changed()
  }

  see (change: Partial<View>): void {
    const { range } = this.view
    this.view = { ...this.view, ...change }
    if (this.view.range !== range) this.#readHistory()
    else if (this.history === null) this.matches = new Matches(this.ring, this.view)
    else this.history.matches = new Matches(this.history.ring, this.view)
    this.anchor = this.isPaused ? this.shown.matches.at(0) ?? null : null
    this.#keepFragment()
    this.changed()
  }

  go (tab: Tab): void {
    this.tab = tab
    this.#keepFragment()
    this.changed()
  }

  #keepFragment (): void {
    history.replaceState(null, '', toFragment(this.tab, this.view))
  }

  /** Somebody has typed or followed a link. */
  followFragment (): void {
    const { tab, view } = fromFragment(location.hash)
    this.tab = tab
    this.see(view)
  }

  #readHistory (): void {
    this.history?.stop()
    this.history = null
    this.selected = null
    this.isPaused = false
    this.matches = new Matches(this.ring, this.view)
    const { state, view: { range } } = this
    if (range === null || state === null || state.routes === null) return
    this.history = new HistoryReader(range, this.view, this.api, state.routes, () => { this.changed() })
    const root = this.feeds.find(null)
    const names = this.view.instances.length > 0 ? this.view.instances : state.instances.map(({ instance }) => instance)
    void this.history.read(root !== undefined && state.grant.instances === null ? [null] : names.slice(0, FOLLOWED))
  }

  /** Reads an event whole, with what the page has not kept of it. */
  async readWhole ({ id, instance }: Message): Promise<Message | null> {
    const { state } = this
    if (state === null || state.routes === null) return null
    const stream = this.feeds.find(instance) === undefined && this.feeds.find(null) !== undefined ? null : instance
    const { lastEventId } = await this.api.position(stream, { before: id })
    const { events: [found] } = await this.api.page(state.routes, stream, lastEventId, 1)
    return found?.id === id ? found : null
  }

  // The server

  /** Signs in, or opens the page as it is. */
  async start (access: Access = this.api.access): Promise<void> {
    this.api = new Api(access)
    sessionStorage.setItem(KEY, JSON.stringify(access))
    const current = ++this.#opening
    this.feeds.closeAll()
    this.ring.clear()
    this.matches = new Matches(this.ring, this.view)
    this.state = null
    this.count = 0
    this.selected = null
    for (const map of [this.rates, this.lastSeen, this.whatsapp, this.#followed]) map.clear()
    await this.refresh()
    if (current !== this.#opening) return
    if (this.view.range !== null) this.#readHistory()
  }

  async signOut (): Promise<void> {
    await this.start({ key: '', only: '' })
  }

  #follow (): void {
    const { state } = this
    if (state === null || state.path === null) return
    if (state.mode === 'global' && this.api.access.only === '') {
      if (this.#followed.has('')) return
      this.#followed.add('')
      void this.follow(null)
    } else this.#followEnabled()
  }

  /** Follows what may be, also what another one has enabled meanwhile, and leaves what would only refuse the page. */
  #followEnabled (): void {
    const { state } = this
    if (state === null || this.feeds.isCut || this.feeds.find(null) !== undefined) return
    for (const { instance, enabled } of state.instances) {
      const feed = this.feeds.find(instance)
      const isOut = feed === undefined ? !this.#followed.has(instance) : feed.status === 'ended'
      const isServed = enabled || state.evolution
      if (isServed && isOut && this.#followed.size < FOLLOWED + Number(feed !== undefined)) void this.follow(instance)
      else if (!isServed && feed !== undefined) this.unfollow(instance)
    }
  }

  unfollow (instance: string): void {
    this.feeds.close(instance)
    this.#followed.delete(instance)
  }

  /** Connects to a stream, with the events just before. */
  async follow (instance: string | null): Promise<void> {
    const { state, api } = this
    if (state === null || state.path === null) return
    if (instance !== null) this.#followed.add(instance)
    // Without a position, as for a limited key at the root, the stream begins with the next event.
    const { lastEventId } = await api.position(instance, { since: this.now() - RECENT })
      .catch(() => ({ lastEventId: '' }))
    if (this.api === api) this.feeds.open(instance, state.path, lastEventId, api.access)
  }

  async refresh (): Promise<void> {
    clearTimeout(this.#refreshTimer)
    const { api } = this
    const current = this.#opening
    try {
      const asked = Date.now()
      const state = await api.state()
      if (api !== this.api) return
      this.skew = Math.round(Date.parse(state.now) - (asked + Date.now()) / 2)
      this.state = state
      this.problem = null
      if (state.health !== null) this.health.add({ ...state.health, time: Date.now() })
    } catch (error) {
      if (api !== this.api) return
      this.problem = problemOf(error)
      // A key that is refused now shows nothing any more.
      if (error instanceof Refused && (error.status === 401 || error.status === 403)) this.#signedOut()
    }
    if (current === this.#opening) this.#follow()
    const pause = this.trial?.phase === 'broken' ? TRIAL_REFRESH : REFRESH
    this.#refreshTimer = setTimeout(() => {
      if (this.state !== null || this.problem?.code === '') void this.refresh()
    }, pause)
    this.changed()
  }

  #signedOut (): void {
    this.state = null
    this.feeds.closeAll()
    this.ring.clear()
  }

  /** Sets an instance. @returns what went wrong */
  async set (name: string, config: { enabled: boolean, events?: readonly string[] }): Promise<Problem | null> {
    return await this.#act(async prefix => {
      await this.api.set(prefix, name, config)
      await this.refresh()
    })
  }

  async disconnect (name: string): Promise<Problem | null> {
    return await this.#act(async () => {
      await this.api.disconnect(name)
      await this.refresh()
    })
  }

  async #act (act: (prefix: string) => Promise<void>): Promise<Problem | null> {
    try {
      await act(this.state?.routes ?? '')
      return null
    } catch (error) {
      return problemOf(error)
    }
  }

  /** Clients of an instance without this page, which is one where it follows it. */
  clientsOf ({ instance, clients }: Instance): number {
    return Math.max(0, clients - (this.feeds.isLive(instance) ? 1 : 0))
  }

  lastOf ({ instance, last }: Instance): number | null {
    const times = [last === null ? 0 : Date.parse(last), this.lastSeen.get(instance) ?? 0]
    return Math.max(...times) || null
  }

  // The demonstration

  get emitted (): number {
    return this.state?.instances.reduce((sum, { emitted }) => sum + emitted, 0) ?? 0
  }

  async breakConnection (): Promise<void> {
    await this.refresh()
    const trial = this.trial = new Trial(this.feeds)
    this.trialBase = this.emitted
    setTimeout(() => { void this.reconnect(trial) }, BREAK)
    this.open('trial')
    await this.refresh()
  }

  async reconnect (trial = this.trial): Promise<void> {
    await trial?.resume(this.api, this.state?.routes ?? '')
    this.changed()
  }
}

/** What to show of a request that has failed. */
export function problemOf (error: unknown): Problem {
  if (!(error instanceof Refused)) return { code: '', message: text('unreachable') }
  const { code, status, message } = error
  return { code: code || String(status), message: refusalText(code, text('failed', { status, message })) }
}
