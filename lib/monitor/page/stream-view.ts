import type { Message } from '../../types.js'
import { eachFrame, element, fill, make } from './dom.js'
import { History, type Kept, type View } from './history.js'
import { text } from './texts.js'

/** Rows of the table. */
const ROWS = 150
/** Characters of the data in a row. */
const EXCERPT = 160
/** How often the table may change, in ms: nobody reads faster, and each change is laid out anew. */
const PACE = 250

/** The table of events as they come. */
export class StreamView {
  readonly #history = new History()
  readonly #rows = element('rows', HTMLTableSectionElement)
  readonly #shown = element('shown', HTMLTableCaptionElement)
  readonly #pause = element('pause', HTMLButtonElement)
  readonly #byInstance = element('by-instance', HTMLSelectElement)
  readonly #byEvent = element('by-event', HTMLSelectElement)
  readonly #search = element('search', HTMLInputElement)
  readonly #dialog = element('message', HTMLDialogElement)
  readonly #draw = eachFrame(() => { this.#render() })
  #timer: ReturnType<typeof setTimeout> | undefined
  /** How many had come when it was paused; `null`: it is not. */
  #pausedAt: number | null = null

  constructor () {
    for (const input of [this.#byInstance, this.#byEvent, this.#search]) {
      input.addEventListener('input', () => { this.#draw() })
    }
    this.#pause.addEventListener('click', () => {
      this.#pausedAt = this.#pausedAt === null ? this.#history.count : null
      this.#draw()
    })
  }

  add (message: Message): void {
    this.#history.add(message)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#draw()
    }, PACE)
  }

  clear (): void {
    this.#history.clear()
    this.#pausedAt = null
    this.#draw()
  }

  /** What can be chosen. */
  offer (instances: readonly string[], events: readonly string[]): void {
    fill(this.#byInstance, [['', text('all')], ...instances.map(name => [name, name] as const)])
    fill(this.#byEvent, [['', text('all')], ...events.map(name => [name, name] as const)])
    this.#draw()
  }

  get #view (): View {
    return {
      instance: this.#byInstance.value,
      event: this.#byEvent.value,
      search: this.#search.value.trim().toLowerCase()
    }
  }

  #render (): void {
    const { count, size } = this.#history
    const isPaused = this.#pausedAt !== null
    this.#pause.setAttribute('aria-pressed', String(isPaused))
    this.#pause.textContent = this.#pausedAt === null ? text('pause') : text('go', { count: count - this.#pausedAt })
    // A paused table stays as it is, but for another choice of what to see.
    const view = this.#view
    const key = JSON.stringify([view, document.documentElement.lang])
    if (isPaused && key === this.#rendered) return
    const newest = this.#history.newest(view, ROWS + (isPaused ? count - (this.#pausedAt ?? 0) : 0))
    const kept = isPaused ? newest.slice(count - (this.#pausedAt ?? 0)).slice(0, ROWS) : newest
    this.#rendered = key
    this.#update(kept)
    this.#shown.textContent = text('shown', { shown: kept.length, kept: size, count })
  }

  #rendered = ''
  // Map(id -> its row)
  #byId = new Map<string, HTMLTableRowElement>()

  /** Keeps the rows that stay: what is focused stays so, and less has to be made. */
  #update (kept: readonly Kept[]): void {
    const rows = new Map<string, HTMLTableRowElement>()
    for (const each of kept) rows.set(each.message.id, this.#byId.get(each.message.id) ?? this.#row(each))
    for (const [id, row] of this.#byId) if (!rows.has(id)) row.remove()
    let at = this.#rows.firstElementChild
    for (const row of rows.values()) {
      if (row === at) at = at.nextElementSibling
      else this.#rows.insertBefore(row, at)
    }
    this.#byId = rows
  }

  #row (kept: Kept): HTMLTableRowElement {
    const { instance, event, date_time: time } = kept.message
    const shown = timeOf(time)
    const open = make('button', {
      text: event,
      className: 'row',
      attributes: { type: 'button', 'aria-label': text('show', { event, instance, time: shown }) }
    })
    open.addEventListener('click', () => { this.#show(kept.message) })
    return make('tr', {},
      make('td', { text: shown }),
      make('td', { text: instance }),
      make('td', {}, open),
      make('td', {
        text: kept.text.length > EXCERPT ? `${kept.text.slice(0, EXCERPT)}…` : kept.text,
        className: 'data'
      }))
  }

  #show (message: Message): void {
    element('message-title', HTMLHeadingElement).textContent = `${message.event} · ${message.instance}`
    element('message-text', HTMLPreElement).textContent = JSON.stringify(message, null, 2)
    this.#dialog.showModal()
  }
}

export const timeOf = (iso: string): string =>
  new Date(iso).toLocaleTimeString(document.documentElement.lang, { hour12: false })
