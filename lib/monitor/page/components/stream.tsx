import { CAPACITY, type App } from '../app.js'
import { clientCodeOf, curlOf } from '../code.js'
import { DIRECTIONS, KINDS } from '../model/summary.js'
import { EVERYTHING, isFiltered, toFragment } from '../model/view.js'
import { clock, number, refusalText, text, word } from '../texts.js'
import { Detail } from './detail.js'
import { List } from './list.js'
import { Code, closing, copy, Empty, Menu, save } from './parts.js'

type Props = { app: App }

export function StreamView ({ app }: Props) {
  const { selected } = app
  return (
    <>
      <Toolbar app={app} />
      <div class={`panes ${selected === null ? '' : 'has-detail'}`}>
        <section class='list-pane' aria-label={text('stream')}>
          {app.shown.matches.size > 0 ? <List app={app} /> : <NoEvents app={app} />}
        </section>
        <Detail app={app} key={selected} />
      </div>
    </>
  )
}

function Toolbar ({ app }: Props) {
  const { view, history, shown: { ring, matches } } = app
  return (
    <div class='toolbar'>
      <div class='controls'>
        <input
          id='search'
          type='search'
          value={view.text}
          placeholder={`${text('searchHint')}  /`}
          aria-label={text('searchHint')}
          autocomplete='off'
          spellcheck={false}
          onInput={({ currentTarget }) => { app.see({ text: currentTarget.value }) }}
        />
        <FilterMenu app={app} />
        <TimeMenu app={app} />
        {history === null && (
          <button type='button' class='button' aria-pressed={app.isPaused} onClick={() => { app.pause() }}>
            {text(app.isPaused ? 'resume' : 'pause')}
          </button>
        )}
        <MoreMenu app={app} />
        <p class='count' title={text('kept', { count: number(CAPACITY) })}>
          {isFiltered(view)
            ? text('shown', { shown: number(matches.size), count: number(ring.size) })
            : text('count', { count: number(matches.size) })}
          {!matches.isComplete && ` ${text('searching')}`}
        </p>
      </div>
      <Chips app={app} />
    </div>
  )
}

interface Choice { readonly key: 'instances' | 'events' | 'kinds', readonly name: string }

/** What is chosen, each to be taken away. */
function Chips ({ app }: Props) {
  const { view, history } = app
  if (!isFiltered(view) && history === null) return null
  const choices: Choice[] = (['instances', 'events', 'kinds'] as const)
    .flatMap(key => view[key].map(name => ({ key, name })))
  const chip = (label: string, away: () => void) => (
    <li key={label}>
      <span>{label}</span>
      <button type='button' aria-label={text('removeFilter', { name: label })} onClick={away}>✕</button>
    </li>
  )
  return (
    <div class='chips'>
      {history !== null && <HistoryNote app={app} />}
      <ul aria-label={text('filter')}>
        {choices.map(({ key, name }) => chip(key === 'kinds' ? word('k', name) : name, () => {
          app.see({ [key]: view[key].filter(each => each !== name) })
        }))}
        {view.direction !== '' && chip(text(view.direction), () => { app.see({ direction: '' }) })}
        {view.text !== '' && chip(`“${view.text}”`, () => { app.see({ text: '' }) })}
      </ul>
      {isFiltered(view) && (
        <button type='button' class='quiet' onClick={() => { app.see({ ...EVERYTHING, range: view.range }) }}>
          {text('clearFilter')}
        </button>
      )}
    </div>
  )
}

/** The range of the history that is shown, and how much of it was read. */
function HistoryNote ({ app }: Props) {
  const { history } = app
  if (history === null) return null
  const { range: { from, to }, status, since, ring, error } = history
  const said = {
    reading: text('pastReading'),
    done: since > from ? text('pastSince', { time: clock(since) }) : text('pastWhole'),
    full: text('pastFull', { count: number(ring.size) }),
    failed: refusalText((error as { code?: string } | undefined)?.code ?? '', text('unreachable'))
  }
  return (
    <p class='past'>
      <strong>{text('pastTitle', { from: clock(from), to: clock(to) })}</strong> <span>{said[status]}</span>
      <button type='button' class='primary' onClick={() => { app.see({ range: null }) }}>{text('backToLive')}</button>
    </p>
  )
}

const FilterMenu = ({ app }: Props) =>
  <Menu label={text('filter')} className='filter'>{() => <FilterPanel app={app} />}</Menu>

function FilterPanel ({ app }: Props) {
  const { view, state, shown: { ring } } = app
  const listed = state?.instances.map(({ instance }) => instance) ?? []
  const instances = [...new Set([...listed, ...ring.instances.all, ...view.instances])].sort()
  const events = [...new Set([...ring.events.all, ...view.events, ...state?.events ?? []])]
  const toggled = (key: Choice['key'], name: string): void => {
    const chosen: readonly string[] = view[key]
    const isChosen = chosen.includes(name)
    app.see({ [key]: isChosen ? chosen.filter(each => each !== name) : [...chosen, name] })
  }
  const group = (label: string, key: Choice['key'], names: readonly string[], say = (name: string) => name) => (
    <fieldset>
      <legend>{label}</legend>
      <div class='options'>
        {names.map(name => (
          <label key={name} class='check'>
            <input
              type='checkbox'
              checked={(view[key] as readonly string[]).includes(name)}
              onChange={() => { toggled(key, name) }}
            /> {say(name)}
          </label>
        ))}
      </div>
    </fieldset>
  )
  return (
    <>
      {group(text('instance'), 'instances', instances)}
      {group(text('kind'), 'kinds', KINDS, name => word('k', name))}
      <fieldset>
        <legend>{text('direction')}</legend>
        <div class='options'>
          {DIRECTIONS.map(direction => (
            <label key={direction} class='check'>
              <input
                type='radio'
                name='direction'
                checked={view.direction === direction}
                onChange={() => { app.see({ direction }) }}
              /> {text(direction === '' ? 'all' : direction)}
            </label>
          ))}
        </div>
      </fieldset>
      {group(text('event'), 'events', events)}
    </>
  )
}

const MINUTE = 60_000

/** A time as an input of the browser takes it, in the zone of this machine. */
const localTime = (time: number): string =>
  new Date(time - new Date(time).getTimezoneOffset() * MINUTE).toISOString().slice(0, 19)

function TimeMenu ({ app }: Props) {
  const { view, state } = app
  const now = app.now()
  const go = (from: number, to: number) => closing(() => {
    app.see({ range: { from: Math.floor(from), to: Math.floor(to) } })
  })
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    const chosen = new FormData(form)
    const [from = 0, to = 0] = ['from', 'to'].map(name => Date.parse(String(chosen.get(name))))
    if (from < to) go(from, to)({ currentTarget: form } as unknown as Event)
  }
  const shown = view.range === null ? text('live') : clock(view.range.from)
  return (
    <Menu
      label={<><span class='prefix'>{text('time')}: </span>{shown}</>}
    >
      {() => <div class='items'>
        <button type='button' onClick={closing(() => { app.see({ range: null }) })}>{text('live')}</button>
        {state?.routes !== null && (
          <>
            <button type='button' onClick={go(now - 5 * MINUTE, now)}>{text('last5')}</button>
            <button type='button' onClick={go(now - 15 * MINUTE, now)}>{text('last15')}</button>
            <button type='button' onClick={go(now - 60 * MINUTE, now)}>{text('last60')}</button>
            <button type='button' onClick={go(now - 11 * MINUTE, now - 9 * MINUTE)}>{text('around10')}</button>
            <form onSubmit={submit}>
              <label>{text('from')}
                <input
                  name='from' type='datetime-local' step='1' required
                  defaultValue={localTime(view.range?.from ?? now - 30 * MINUTE)}
                />
              </label>
              <label>{text('to')}
                <input
                  name='to' type='datetime-local' step='1' required
                  defaultValue={localTime(view.range?.to ?? now)}
                />
              </label>
              <button type='submit'>{text('show')}</button>
            </form>
          </>
        )}
      </div>}
    </Menu>
  )
}

/** As JSON lines, the oldest first. Made in steps, so that the page goes on. */
async function exportShown ({ shown: { ring, matches } }: App): Promise<void> {
  const parts: string[] = []
  for (let at = matches.size - 1; at >= 0; at--) {
    const seq = matches.at(at)
    if (seq !== undefined && ring.has(seq)) parts.push(`${JSON.stringify(ring.read(seq).message)}\n`)
    if (at % 500 === 0) await new Promise(resolve => { setTimeout(resolve) })
  }
  save(`events-${new Date().toISOString().replaceAll(':', '-').slice(0, 19)}.jsonl`, parts, 'application/jsonl')
}

function MoreMenu ({ app }: Props) {
  const { view, state } = app
  if (state === null) return null
  const listed = state.instances.map(({ instance }) => instance)
  const link = (withText: boolean) => `${location.origin}${location.pathname}${toFragment(app.tab, view, withText)}`
  const item = (label: string, act: () => void) => (
    <button type='button' onClick={closing(act)}>{label}</button>
  )
  return (
    <Menu label='⋯' title={text('more')} className='end'>
      {() => <div class='items'>
        {item(text('share'), () => { void copy(app, link(false)) })}
        {view.text !== '' && item(text('shareText'), () => { void copy(app, link(true)) })}
        {item(text('export'), () => { void exportShown(app) })}
        {state.routes !== null && item(text('copyCurl'), () => {
          void copy(app, curlOf(state, view, listed, location.origin))
        })}
        {item(text('copyCode'), () => { void copy(app, clientCodeOf(state, view, listed, location.origin)) })}
        {item(text('break'), () => { void app.breakConnection() })}
      </div>}
    </Menu>
  )
}

function NoEvents ({ app }: Props) {
  const { history, ring, view, state } = app
  if (state === null) return null
  if (history !== null) {
    const nothing = isFiltered(view) ? 'emptyMatch' : 'emptyPast'
    return <Empty title={text(history.status === 'reading' ? 'pastReading' : nothing)} />
  }
  if (ring.size > 0) {
    return <Empty title={text('emptyMatch')} hint={text('emptyMatchHint', { count: number(ring.size) })} />
  }
  const [first] = state.instances
  if (first === undefined && state.mode !== 'global') {
    return (
      <Empty title={text('emptyNone')} hint={text('emptyNoneHint')}>
        <button type='button' class='primary' onClick={() => { app.go('instances') }}>{text('newInstance')}</button>
      </Empty>
    )
  }
  const name = encodeURIComponent(first?.instance ?? 'INSTANCE')
  const key = state.grant.key ? ' -H "apikey: $WS_APIKEY"' : ''
  const send = `curl -X POST${key} '${location.origin}${state.routes ?? ''}/instance/${name}/events' \\
  -H 'content-type: application/json' -d '{"event":"call","data":{"from":"5511900000001","status":"offer"}}'`
  return (
    <Empty title={text('emptyTitle')} hint={text('emptyHint', { count: state.instances.length })}>
      {state.routes !== null && <><p>{text('tryIt')}</p><Code app={app} code={send} /></>}
    </Empty>
  )
}
