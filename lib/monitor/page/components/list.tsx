import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { App } from '../app.js'
import type { Row } from '../model/ring.js'
import { clock, number, text, word } from '../texts.js'
import { EventName, Marked } from './parts.js'

/** Rows above and below what is seen. */
const MARGIN = 6

type Props = { app: App }

/** The height of what is seen and of a row, in px, as the style has them. */
function useSizes (scroller: { current: HTMLElement | null }): { height: number, row: number } {
  const [sizes, setSizes] = useState({ height: 800, row: 30 })
  useLayoutEffect(() => {
    const { current } = scroller
    if (current === null) return
    const observer = new ResizeObserver(() => {
      const row = parseFloat(getComputedStyle(current).getPropertyValue('--row'))
      setSizes({ height: current.clientHeight, row: row > 0 ? row : 30 })
    })
    observer.observe(current)
    return () => { observer.disconnect() }
  }, [])
  return sizes
}

/** The place of an event among those that are shown, from the newest. */
const placeOf = ({ shown: { matches }, waiting }: App, seq: number): number => matches.newerThan(seq) - waiting

/** The events, of which only those that are seen are in the document. */
export function List ({ app }: Props) {
  const scroller = useRef<HTMLDivElement>(null)
  const { height, row } = useSizes(scroller)
  const [top, setTop] = useState(0)
  const { shown: { ring, matches }, waiting, selected } = app
  const size = matches.size - waiting
  const first = Math.max(0, Math.floor(top / row) - MARGIN)
  const last = Math.min(size, Math.ceil((top + height) / row) + MARGIN)
  const rows: Array<[place: number, row: Row]> = []
  for (let place = first; place < last; place++) {
    const seq = matches.at(place + waiting)
    if (seq !== undefined && ring.has(seq)) rows.push([place, ring.read(seq)])
  }
  useEffect(() => {
    const { current } = scroller
    if (current === null || selected === null || !ring.has(selected)) return
    const y = placeOf(app, selected) * row
    if (y < current.scrollTop) current.scrollTop = y
    else if (y + row > current.scrollTop + current.clientHeight) current.scrollTop = y + row - current.clientHeight
  }, [selected])
  const newest = (): void => {
    app.isPaused = false
    if (scroller.current !== null) scroller.current.scrollTop = 0
    app.hold(false)
  }
  return (
    <>
      {waiting > 0 && (
        <button type='button' class='newer' onClick={newest}>↑ {text('newEvents', { count: number(waiting) })}</button>
      )}
      <div
        id='list'
        ref={scroller}
        class='scroller'
        role='listbox'
        tabIndex={0}
        aria-label={text('newestFirst')}
        aria-activedescendant={selected === null ? undefined : `row-${selected}`}
        onScroll={({ currentTarget }) => {
          setTop(currentTarget.scrollTop)
          if (selected === null || currentTarget.scrollTop > 0) app.hold(currentTarget.scrollTop > 0)
        }}
        onKeyDown={event => { move(app, event, Math.max(1, Math.floor(height / row) - 1)) }}
      >
        <div class='rows' role='presentation' style={{ height: `${size * row}px` }}>
          {rows.map(([place, each]) => (
            <Line key={each.seq} app={app} row={each} y={place * row} place={place} size={size} />
          ))}
        </div>
      </div>
    </>
  )
}

/** Chooses another event by the keyboard. */
function move (app: App, event: KeyboardEvent, page: number): void {
  const { shown: { matches }, waiting, selected } = app
  const last = matches.size - waiting - 1
  const place = selected === null ? -1 : placeOf(app, selected)
  const to: Record<string, number> = {
    ArrowDown: place + 1, ArrowUp: place - 1, PageDown: place + page, PageUp: place - page, Home: 0, End: last
  }
  if (event.key === 'Escape') {
    app.select(null)
    return
  }
  const wanted = to[event.key]
  if (wanted === undefined) return
  event.preventDefault()
  app.hold(true)
  app.select(matches.at(Math.min(last, Math.max(0, wanted)) + waiting) ?? null)
}

const ARROWS = { in: '↓', out: '↑', '': '' } as const

function Line ({ app, row, y, place, size }: Props & { row: Row, y: number, place: number, size: number }) {
  const { seq, message, summary: { who, word: said, text: content }, kind, direction } = row
  const needle = app.view.text
  const words = [said === '' ? '' : word('w', said), content].filter(Boolean).join(' · ')
  return (
    <div
      id={`row-${seq}`}
      class='row'
      role='option'
      aria-selected={app.selected === seq}
      aria-posinset={place + 1}
      aria-setsize={size}
      style={{ transform: `translateY(${y}px)` }}
      onClick={() => {
        app.hold(true)
        app.select(app.selected === seq ? null : seq)
      }}
    >
      <span class='time'>{clock(Date.parse(message.date_time))}</span>
      <span class='instance'><Marked text={message.instance} needle={needle} /></span>
      <EventName event={message.event} />
      <span class='line'>
        {direction !== '' && (
          <span class={`arrow is-${direction}`} role='img' aria-label={text(direction)}>{ARROWS[direction]}</span>
        )}
        {who !== '' && <b><Marked text={who} needle={needle} /></b>}
        {kind !== 'text' && kind !== 'other' && <span class='kind'>{word('k', kind)}</span>}
        <span class='words'><Marked text={words} needle={needle} /></span>
      </span>
    </div>
  )
}
