/** The element with an id, which the page has. */
export function element<Kind extends HTMLElement> (id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id)
  if (found instanceof kind) return found
  throw new TypeError(`the page has no #${id}`)
}

interface Made {
  readonly text?: string
  readonly className?: string
  readonly attributes?: Readonly<Record<string, string>>
}

/** Makes an element. What it says is text: data of events is never markup. */
export function make<Name extends keyof HTMLElementTagNameMap> (
  name: Name,
  { text, className, attributes = {} }: Made = {},
  ...children: readonly Node[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  if (text !== undefined) made.textContent = text
  if (className !== undefined) made.className = className
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.append(...children)
  return made
}

/** Puts options into a select, and keeps what is chosen if it is still there. */
export function fill (select: HTMLSelectElement, options: ReadonlyArray<readonly [value: string, text: string]>): void {
  const chosen = select.value
  select.replaceChildren(...options.map(([value, text]) => make('option', { text, attributes: { value } })))
  select.value = options.some(([value]) => value === chosen) ? chosen : ''
}

/** Has something done before the next picture, once, however often it is asked for. */
export function eachFrame (act: () => void): () => void {
  let due = false
  return () => {
    if (due) return
    due = true
    requestAnimationFrame(() => {
      due = false
      act()
    })
  }
}
