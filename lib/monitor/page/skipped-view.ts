import type { MonitorState } from '../state.js'
import { element, make } from './dom.js'
import { timeOf } from './stream-view.js'
import { text, type TextName } from './texts.js'

type Skipped = MonitorState['skipped'][number]

const REASONS: Readonly<Record<string, TextName>> = {
  'unknown-event': 'skippedUnknown',
  'invalid-name': 'skippedInvalid',
  removed: 'skippedRemoved'
}

/** The table of webhooks that were skipped, which is there as soon as one was. */
export class SkippedView {
  readonly #section = element('skipped-section', HTMLElement)
  readonly #body = element('skipped', HTMLTableSectionElement)
  readonly #caption = element('skipped-names', HTMLTableCaptionElement)
  #drawn = ''

  draw (skipped: readonly Skipped[]): void {
    this.#section.hidden = skipped.length === 0
    const drawn = JSON.stringify([document.documentElement.lang, skipped])
    if (drawn === this.#drawn) return
    this.#drawn = drawn
    this.#caption.textContent = text('skippedNames', { count: skipped.length })
    this.#body.replaceChildren(...skipped.map(rowOf))
  }
}

function rowOf ({ name, reason, count, last }: Skipped): HTMLTableRowElement {
  const why = REASONS[reason]
  return make('tr', {},
    make('th', { text: name, attributes: { scope: 'row' } }),
    make('td', { text: why === undefined ? reason : text(why), className: 'config' }),
    make('td', { text: String(count) }),
    make('td', { text: timeOf(last) }))
}
