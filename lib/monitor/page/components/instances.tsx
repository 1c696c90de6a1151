import { useState } from 'preact/hooks'
import type { App, Instance, Problem } from '../app.js'
import { isSilent } from '../model/rates.js'
import { clock, number, span, text, word } from '../texts.js'
import { Spark } from './chart.js'
import { InstancePanel } from './instance-panel.js'
import { Empty, Modal } from './parts.js'

type Props = { app: App }

/** The question before clients are disconnected. */
export interface Question {
  readonly title: string
  readonly hint: string
  readonly button: string
  readonly act: () => Promise<Problem | null>
}

export function InstancesView ({ app }: Props) {
  const [question, setQuestion] = useState<Question | null>(null)
  const [problem, setProblem] = useState<Problem | null>(null)
  const [opened, setOpened] = useState('')
  const { state } = app
  if (state === null) return null
  const run = async (act: () => Promise<Problem | null>): Promise<void> => { setProblem(await act()) }
  return (
    <div class='page' tabIndex={0} role='region' aria-label={text('instances')}>
      <NewInstance app={app} run={run} />
      {problem !== null && <p class='bad' role='alert'>{problem.message}</p>}
      {state.routes === null && <p class='hint'>{text('noRoutes')}</p>}
      {state.instances.length === 0 && <Empty title={text('emptyNone')} hint={text('emptyNoneHint')} />}
      <ul class='instances'>
        {state.instances.map(instance => (
          <li key={instance.instance}>
            <Summary
              app={app}
              instance={instance}
              isOpen={opened === instance.instance}
              onToggle={() => { setOpened(opened === instance.instance ? '' : instance.instance) }}
            />
            {opened === instance.instance &&
              <InstancePanel app={app} instance={instance} run={run} ask={setQuestion} />}
          </li>
        ))}
      </ul>
      {state.more && <p class='hint'>{text('moreInstances')}</p>}
      <Skipped app={app} />
      {question !== null && (
        <Modal title={question.title} onClose={() => { setQuestion(null) }}>
          <p>{question.hint}</p>
          <div class='buttons'>
            <button type='button' onClick={() => { setQuestion(null) }}>{text('cancel')}</button>
            <button type='button' class='danger' onClick={() => { setQuestion(null); void run(question.act) }}>
              {question.button}
            </button>
          </div>
        </Modal>
      )}
    </div>
  )
}

export type Run = (act: () => Promise<Problem | null>) => Promise<void>

function NewInstance ({ app, run }: Props & { run: Run }) {
  const [name, setName] = useState('')
  if (app.state?.routes === null || app.state?.grant.instances !== null) return null
  const submit = (event: Event): void => {
    event.preventDefault()
    void run(async () => await app.set(name.trim(), { enabled: true })).then(() => { setName('') })
  }
  return (
    <form class='new' onSubmit={submit}>
      <input
        id='new-instance'
        aria-label={text('newInstance')}
        placeholder={text('newInstance')}
        value={name}
        maxLength={100}
        required
        autocomplete='off'
        spellcheck={false}
        onInput={({ currentTarget }) => { setName(currentTarget.value) }}
      />
      <button type='submit'>{text('create')}</button>
    </form>
  )
}

type Status = 'stateOn' | 'stateOff' | 'stateMuted' | 'stateUnset'

export function stateOf ({ enabled, set }: Instance, evolution: boolean): Status {
  if (enabled) return 'stateOn'
  return !set ? 'stateUnset' : evolution ? 'stateMuted' : 'stateOff'
}

function Summary ({ app, instance, isOpen, onToggle }: Props & {
  instance: Instance
  isOpen: boolean
  onToggle: () => void
}) {
  const { state } = app
  const { instance: name, enabled, events, interval, emitted } = instance
  const now = app.now()
  const last = app.lastOf(instance)
  const rate = app.rates.get(name)
  const perSecond = number(rate?.perSecond(Date.now()) ?? 0, 1)
  const all = state?.events.length ?? 0
  const whatsapp = app.whatsapp.get(name)
  const isQuiet = enabled && isSilent(last, interval, emitted, now)
  const clients = app.clientsOf(instance)
  return (
    <button type='button' class='instance-row' aria-expanded={isOpen} onClick={onToggle}>
      <span class='name'>{name}</span>
      <span>
        <span class={`badge is-${enabled ? 'on' : 'off'}`}>{text(stateOf(instance, state?.evolution === true))}</span>
        {whatsapp !== undefined && (
          <span class={`badge is-${whatsapp === 'open' ? 'on' : 'wait'}`}>
            {text('whatsapp', { state: word('w', whatsapp) })}
          </span>
        )}
      </span>
      <span class='fact'>{text('clientCount', { count: number(clients) })}</span>
      <span class='fact chart'>
        <Spark values={rate?.series(Date.now()) ?? []} label={text('rateChart', { rate: perSecond })} />
        <b>{perSecond}</b><span class='unit'>/s</span>
      </span>
      <span class='fact'>
        {last === null ? text('never') : text('ago', { time: span(now - last) })}
        {isQuiet && <span class='badge is-bad'>{text('silent')}</span>}
      </span>
      <span class='fact'>
        {events.length === 0 || events.length >= all
          ? text('eventsAll')
          : text('eventsSome', { count: events.length, all })}
      </span>
    </button>
  )
}

/** Webhooks of which there was nothing to emit. */
function Skipped ({ app }: Props) {
  const skipped = app.state?.skipped ?? []
  if (skipped.length === 0) return null
  return (
    <section class='card'>
      <h2>{text('skippedTitle')}</h2>
      <p class='hint'>{text('skippedHint')}</p>
      <div class='wide-table' tabIndex={0} role='region' aria-label={text('skippedTitle')}>
        <table id='skipped'>
          <thead>
            <tr>
              <th scope='col'>{text('name')}</th><th scope='col'>{text('why')}</th>
              <th scope='col'>{text('times')}</th><th scope='col'>{text('last')}</th>
            </tr>
          </thead>
          <tbody>
            {skipped.map(({ reason, name, count, last }) => (
              <tr key={`${reason} ${name}`}>
                <td><code>{name}</code></td><td>{word('skip', reason)}</td>
                <td>{number(count)}</td><td>{clock(Date.parse(last))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}
