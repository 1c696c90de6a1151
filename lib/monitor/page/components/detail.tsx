import { useState } from 'preact/hooks'
import type { App } from '../app.js'
import { pictureIn } from '../model/compact.js'
import { neighbour } from '../model/view.js'
import { bytes, locale, span, text, type TextName } from '../texts.js'
import { copy, Empty, EventName } from './parts.js'
import { Tree } from './tree.js'

type Props = { app: App }

/** The event that was chosen. */
export function Detail ({ app }: Props) {
  const { selected, shown: { ring } } = app
  if (selected === null || !ring.has(selected)) {
    return (
      <section class='detail is-empty' aria-label={text('detail')}>
        <Empty title={text(selected === null ? 'noDetail' : 'gone')} hint={text('noDetailHint')} />
      </section>
    )
  }
  const { message } = ring.read(selected)
  return (
    <section class='detail' aria-label={text('detail')}>
      <header>
        <h2><EventName event={message.event} /> <span class='instance'>{message.instance}</span></h2>
        <button type='button' class='button' onClick={() => { void copy(app, JSON.stringify(message, null, 2)) }}>
          {text('copyJson')}
        </button>
        <button type='button' class='quiet' aria-label={text('close')} onClick={() => { app.select(null) }}>✕</button>
      </header>
      <Facts app={app} seq={selected} />
      <nav class='neighbours' aria-label={text('detail')}>
        <Neighbours app={app} seq={selected} by='chat' label='sameChat' titles={['prevChat', 'nextChat']} />
        <Neighbours app={app} seq={selected} by='event' label='sameEvent' titles={['prevEvent', 'nextEvent']} />
      </nav>
      <Picture data={message.data} />
      <Tree app={app} message={message} />
    </section>
  )
}

function Facts ({ app, seq }: Props & { seq: number }) {
  const { ring } = app.shown
  const { message: { id, sender, date_time: time } } = ring.read(seq)
  const delay = ring.delayOf(seq)
  const when = new Date(time)
  const exact = when.toLocaleString(locale(), { dateStyle: 'medium', timeStyle: 'medium', hour12: false })
  const facts: Array<readonly [TextName, string]> = [
    ['dateTime', `${exact}.${String(when.getMilliseconds()).padStart(3, '0')}`],
    ['delay', delay < 0 ? text('delayNone') : span(delay)],
    ['size', bytes(ring.sizeOf(seq))],
    ...sender === null || sender === undefined ? [] : [['sender', sender] as const]
  ]
  return (
    <dl class='facts'>
      {facts.map(([name, value]) => <div key={name}><dt>{text(name)}</dt><dd>{value}</dd></div>)}
      <div>
        <dt>{text('id')}</dt>
        <dd>
          <code>{id}</code>{' '}
          <button type='button' class='quiet' onClick={() => { void copy(app, id) }}>{text('copy')}</button>
        </dd>
      </div>
    </dl>
  )
}

function Neighbours ({ app, seq, by, label, titles }: Props & {
  seq: number
  by: 'chat' | 'event'
  label: TextName
  titles: readonly [TextName, TextName]
}) {
  const { ring } = app.shown
  const { message: { event } } = ring.read(seq)
  const button = (step: 1 | -1, title: TextName, sign: string) => {
    const other = neighbour(ring, seq, by, step)
    const name = text(title, { event })
    return (
      <button
        type='button'
        class='button'
        aria-label={name}
        title={name}
        disabled={other === null}
        onClick={() => { app.hold(true); app.select(other) }}
      >
        {sign}
      </button>
    )
  }
  return <span>{button(-1, titles[0], '←')}<span>{text(label)}</span>{button(1, titles[1], '→')}</span>
}

/** What begins like a picture may be none. */
function Picture ({ data }: { data: unknown }) {
  const [isBroken, setBroken] = useState(false)
  const source = pictureIn(data)
  if (source === null || isBroken) return null
  return <img class='picture' src={source} alt={text('media')} onError={() => { setBroken(true) }} />
}
