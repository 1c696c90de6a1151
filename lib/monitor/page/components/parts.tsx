import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { App } from '../app.js'
import { text } from '../texts.js'

/** Families of events, each with a colour of its own; others have one by their name. */
const FAMILIES = [
  ['messages'], ['send'], ['presence'], ['chats', 'contacts'], ['groups', 'group-participants'],
  ['connection', 'qrcode'], ['call'], ['labels']
]

const colourOf = (event: string): number => {
  const [family = ''] = event.split('.')
  const known = FAMILIES.findIndex(names => names.includes(family))
  return known < 0 ? [...family].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % FAMILIES.length : known
}

export const EventName = ({ event }: { event: string }) => <span class={`event c${colourOf(event)}`}>{event}</span>

/** A text in which what is looked for is marked. */
export function Marked ({ text: whole, needle }: { text: string, needle: string }) {
  const wanted = needle.trim().toLowerCase()
  const lower = whole.toLowerCase()
  if (wanted === '' || !lower.includes(wanted)) return <>{whole}</>
  const parts: ComponentChildren[] = []
  let at = 0
  for (let found; (found = lower.indexOf(wanted, at)) >= 0; at = found + wanted.length) {
    parts.push(whole.slice(at, found), <mark>{whole.slice(found, found + wanted.length)}</mark>)
  }
  return <>{parts}{whole.slice(at)}</>
}

/** A button that opens something below itself, which is drawn only then. */
export function Menu ({ label, title, children, className = '' }: {
  label: ComponentChildren
  title?: string
  children: () => ComponentChildren
  className?: string
}) {
  const [isOpen, setOpen] = useState(false)
  return (
    <details class={`menu ${className}`} onToggle={({ currentTarget }) => { setOpen(currentTarget.open) }}>
      <summary class='button' aria-label={title} title={title}>{label}</summary>
      {isOpen && <div class='panel'>{children()}</div>}
    </details>
  )
}

/** Closes the menu that a button is in, after what it does. */
export const closing = (act: () => void) => ({ currentTarget }: Event): void => {
  act()
  const menu = (currentTarget as Element).closest('details')
  if (menu !== null) menu.open = false
}

export async function copy (app: App, content: string): Promise<void> {
  await navigator.clipboard.writeText(content).catch(() => {
    // Without HTTPS there is no clipboard but this one.
    const area = document.createElement('textarea')
    area.value = content
    document.body.append(area)
    area.select()
    document.execCommand('copy')
    area.remove()
  })
  app.notify(text('copied'))
}

export function save (name: string, content: BlobPart[], type: string): void {
  const url = URL.createObjectURL(new Blob(content, { type }))
  Object.assign(document.createElement('a'), { href: url, download: name }).click()
  setTimeout(() => { URL.revokeObjectURL(url) }, 10_000)
}

/** A dialog that is there as long as it is open. */
export function Modal ({ title, onClose, children }: {
  title: string
  onClose: () => void
  children: ComponentChildren
}) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => { dialog.current?.showModal() }, [])
  return (
    <dialog ref={dialog} aria-labelledby='dialog-title' onClose={onClose}>
      <header>
        <h2 id='dialog-title'>{title}</h2>
        <button type='button' class='quiet' aria-label={text('close')} onClick={onClose}>✕</button>
      </header>
      {children}
    </dialog>
  )
}

export const Empty = ({ title, hint, children }: { title: string, hint?: string, children?: ComponentChildren }) => (
  <div class='empty'>
    <h2>{title}</h2>
    {hint !== undefined && <p>{hint}</p>}
    {children}
  </div>
)

/** A command or a program, to be copied. */
export const Code = ({ app, code }: { app: App, code: string }) => (
  <div class='code'>
    <pre tabIndex={0}>{code}</pre>
    <button type='button' class='quiet' onClick={() => { void copy(app, code) }}>{text('copy')}</button>
  </div>
)
