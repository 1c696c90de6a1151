import type { App, Settings } from '../app.js'
import type { Language } from '../texts.js'
import { number, text } from '../texts.js'
import { Modal } from './parts.js'

type Props = { app: App }

export const Languages = ({ app }: Props) => (
  <label class='field'>
    <span>{text('language')}</span>
    <select
      value={app.settings.language}
      onChange={({ currentTarget }) => { app.choose({ language: currentTarget.value as Language }) }}
    >
      <option value='en' lang='en'>English</option>
      <option value='pt' lang='pt-BR'>Português</option>
    </select>
  </label>
)

export function SettingsDialog ({ app }: Props) {
  return (
    <Modal title={text('settings')} onClose={() => { app.open(null) }}>
      <Languages app={app} />
      <label class='field'>
        <span>{text('theme')}</span>
        <select
          value={app.settings.theme}
          onChange={({ currentTarget }) => { app.choose({ theme: currentTarget.value as Settings['theme'] }) }}
        >
          <option value=''>{text('themeSystem')}</option>
          <option value='light'>{text('themeLight')}</option>
          <option value='dark'>{text('themeDark')}</option>
        </select>
      </label>
      <Shortcuts app={app} />
      <button type='button' onClick={() => { app.open('help') }}>{text('help')}</button>
    </Modal>
  )
}

/** Somebody who speaks to the machine may say such a key by accident. */
const Shortcuts = ({ app }: Props) => (
  <label class='check'>
    <input
      type='checkbox'
      checked={app.settings.shortcuts}
      onChange={({ currentTarget }) => { app.choose({ shortcuts: currentTarget.checked }) }}
    /> {text('helpShortcuts')}
  </label>
)

export function Help ({ app }: Props) {
  const keys = [
    ['↑ ↓', text('helpMove')], ['/', text('helpSearch')], [text('keySpace'), text('helpPause')],
    ['?', text('helpHelp')], ['Esc', text('helpClose')]
  ]
  return (
    <Modal title={text('help')} onClose={() => { app.open(null) }}>
      <dl class='keys'>
        {keys.map(([key, what]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div>)}
      </dl>
      <Shortcuts app={app} />
    </Modal>
  )
}

/** What happens when the connection breaks, tried. */
export function TrialDialog ({ app }: Props) {
  const { trial } = app
  if (trial === null) return null
  const close = (): void => {
    app.open(null)
    void app.reconnect(trial)
  }
  return (
    <Modal title={text('trialTitle')} onClose={close}>
      <p class='hint'>{text('trialIntro')}</p>
      <div class={`trial is-${trial.phase}`} role='status'>
        <Phase app={app} />
      </div>
      {trial.phase === 'broken'
        ? <button type='button' class='primary' onClick={() => { void app.reconnect() }}>{text('trialNow')}</button>
        : <button type='button' onClick={close}>{text('close')}</button>}
    </Modal>
  )
}

function Phase ({ app: { trial, emitted, trialBase } }: Props) {
  if (trial === null) return null
  const { phase, outcome } = trial
  if (phase === 'failed') return <p>{text('trialFailed')}</p>
  if (phase === 'broken') {
    const seconds = Math.floor((Date.now() - trial.since) / 1000)
    return <p>{text('trialBroken', { seconds, count: number(Math.max(0, emitted - trialBase)) })}</p>
  }
  if (phase === 'resuming' || outcome === null) return <p>{text('trialResuming', { count: number(trial.replayed) })}</p>
  const { expected, missed, doubled } = outcome
  return (
    <>
      <p class='outcome'>{text('trialDone', { missed: number(missed), doubled: number(doubled) })}</p>
      <p>{text('trialDoneHint', { expected: number(expected) })}</p>
    </>
  )
}
