import type { MonitorState } from '../state.js'
import { element, make } from './dom.js'
import type { Feed, Feeds } from './feeds.js'
import { timeOf } from './stream-view.js'
import { refusalText, text } from './texts.js'

type Listed = MonitorState['instances'][number]

interface Hooks {
  readonly set: (name: string, config: object) => void
  readonly watch: (name: string) => void
}

/** The table of instances, and the form that sets one. */
export class InstancesView {
  readonly #body = element('instances', HTMLTableSectionElement)
  readonly #caption = element('listed', HTMLTableCaptionElement)
  readonly #form = element('set', HTMLFormElement)
  readonly #hooks: Hooks
  #drawn = ''

  constructor (hooks: Hooks) {
    this.#hooks = hooks
    const name = element('new-instance', HTMLInputElement)
    this.#form.addEventListener('submit', event => {
      event.preventDefault()
      hooks.set(name.value.trim(), { enabled: true })
      name.value = ''
    })
  }

  draw (state: MonitorState | undefined, feeds: Feeds): void {
    this.#form.hidden = state?.routes === null
    const root = state?.mode === 'global' ? feeds.find(null) : undefined
    const rows = (state?.instances ?? []).map(listed => [listed, feeds.find(listed.instance) ?? root] as const)
    // Made anew only when it says something else: who is at a button stays there.
    const drawn = JSON.stringify([
      document.documentElement.lang,
      state?.routes,
      rows.map(([listed, feed]) => [{ ...listed, head: '' }, feed?.status, feed?.refusal?.code, lastOf(listed, feeds)])
    ])
    if (drawn === this.#drawn) return
    this.#drawn = drawn
    const focused = document.activeElement?.id
    this.#body.replaceChildren(...rows.map(([listed, feed]) => this.#row(listed, feed, feeds, state?.routes !== null)))
    if (focused !== undefined && focused !== '') document.getElementById(focused)?.focus()
    const more = state?.more === true ? ` ${text('more')}` : ''
    this.#caption.textContent = `${text('listed', { count: rows.length })}${more}`
  }

  #row (listed: Listed, feed: Feed | undefined, feeds: Feeds, canSet: boolean): HTMLTableRowElement {
    const { instance, set, enabled, events, clients } = listed
    const all = events.length === 0 || events.length > 5
    const config = !set
      ? text('notSet')
      : !enabled ? text('isDisabled') : all ? text('allEvents') : text('someEvents', { events: events.join(', ') })
    const isWatched = feed !== undefined && feed.status !== 'refused' && feed.status !== 'ended'
    const actions = make('td', { className: 'actions' })
    if (canSet) {
      actions.append(this.#button(enabled && set ? 'disable' : 'enable', instance, () => {
        this.#hooks.set(instance, { enabled: !(enabled && set) })
      }))
    }
    if (!isWatched) actions.append(this.#button('watch', instance, () => { this.#hooks.watch(instance) }))
    return make('tr', {},
      make('th', { text: instance, attributes: { scope: 'row' } }),
      make('td', { text: config, className: 'config' }),
      make('td', { text: String(clients) }),
      make('td', { text: lastOf(listed, feeds) }),
      make('td', { text: statusOf(feed), className: feed?.status === 'refused' ? 'bad' : '' }),
      actions)
  }

  #button (name: 'enable' | 'disable' | 'watch', instance: string, act: () => void): HTMLButtonElement {
    const button = make('button', {
      text: text(name),
      className: 'quiet',
      attributes: { type: 'button', id: `${name} ${instance}`, 'aria-label': `${text(name)} ${instance}` }
    })
    button.addEventListener('click', act)
    return button
  }
}

function lastOf ({ instance }: Listed, feeds: Feeds): string {
  const last = feeds.lastOf(instance)
  return last === undefined ? text('none') : `${last.event}, ${timeOf(last.date_time)}`
}

function statusOf (feed: Feed | undefined): string {
  if (feed === undefined) return text('notWatched')
  return feed.status === 'refused' ? refusalText(feed.refusal ?? { message: '' }) : text(feed.status)
}
