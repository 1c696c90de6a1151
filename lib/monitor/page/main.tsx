import { render } from 'preact'
import { App } from './app.js'
import { Page } from './components/page.js'
import { locale, text } from './texts.js'

const root = document.getElementById('page')
if (root === null) throw new TypeError('the page has no #page')
const place: Element = root

const app = new App(() => {
  const { documentElement } = document
  documentElement.lang = locale()
  documentElement.dataset.theme = app.settings.theme
  document.title = text('title')
  render(<Page app={app} />, place)
})

/** Whether a key that was pressed is meant for what has the focus. */
const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.closest('input, textarea, select, [contenteditable]') !== null
const isPressing = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.closest('button, a, summary, label') !== null

const SHORTCUTS: Readonly<Record<string, () => void>> = {
  '/': () => {
    app.go('stream')
    requestAnimationFrame(() => { document.getElementById('search')?.focus() })
  },
  ' ': () => { app.pause() },
  '?': () => { app.open('help') },
  ArrowDown: () => { document.getElementById('list')?.focus() },
  ArrowUp: () => { document.getElementById('list')?.focus() }
}

const closeMenus = (except: Node | null): void => {
  for (const menu of document.querySelectorAll<HTMLDetailsElement>('details.menu[open]')) {
    if (!menu.contains(except)) menu.open = false
  }
}

addEventListener('click', ({ target }) => { closeMenus(target as Node) })
addEventListener('keydown', event => {
  if (event.key === 'Escape') {
    const menu = document.querySelector<HTMLDetailsElement>('details.menu[open]')
    closeMenus(null)
    menu?.querySelector('summary')?.focus()
  }
  const act = SHORTCUTS[event.key]
  if (act === undefined || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
  const isSingle = !event.key.startsWith('Arrow')
  if (isTyping(event.target) || (isPressing(event.target) && event.key === ' ')) return
  if (app.dialog !== null || app.state === null || (isSingle && !app.settings.shortcuts)) return
  event.preventDefault()
  act()
})
addEventListener('hashchange', () => { app.followFragment() })
// How long ago something was changes by itself.
setInterval(() => { app.changed() }, 1000)
void app.start()
app.changed()
