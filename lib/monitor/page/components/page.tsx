import type { App } from '../app.js'
import { TABS } from '../model/view.js'
import { number, refusalText, text } from '../texts.js'
import { Help, SettingsDialog, TrialDialog } from './dialogs.js'
import { HealthView } from './health.js'
import { InstancesView } from './instances.js'
import { Empty, Menu } from './parts.js'
import { SignIn } from './sign-in.js'
import { StreamView } from './stream.js'

type Props = { app: App }

export function Page ({ app }: Props) {
  const { state, problem } = app
  if (state === null) {
    if (problem !== null && problem.code !== '') return <SignIn app={app} />
    return <main class='alone'><Empty title={problem?.message ?? text('loading')} /></main>
  }
  return (
    <>
      <a class='skip' href='#main' onClick={focusMain}>{text('skip')}</a>
      <Header app={app} />
      <Banners app={app} />
      <main id='main' tabIndex={-1} class={`is-${app.tab}`}>
        {state.mode === 'disabled'
          ? <Empty title={text('disabledTitle')} hint={refusalText('DISABLED')} />
          : app.tab === 'stream'
            ? <StreamView app={app} />
            : app.tab === 'instances' ? <InstancesView app={app} /> : <HealthView app={app} />}
      </main>
      <p class={`notice ${app.notice === '' ? '' : 'is-shown'}`} role='status'>{app.notice}</p>
      {app.dialog === 'help' && <Help app={app} />}
      {app.dialog === 'settings' && <SettingsDialog app={app} />}
      {app.dialog === 'trial' && <TrialDialog app={app} />}
    </>
  )
}

/** A fragment of the URL is a view: the link moves the focus alone. */
function focusMain (event: Event): void {
  event.preventDefault()
  document.getElementById('main')?.focus()
}

function Header ({ app }: Props) {
  return (
    <header class='top'>
      <h1>{text('title')}</h1>
      <nav aria-label={text('views')}>
        {TABS.map(tab => (
          <button
            key={tab}
            type='button'
            class='tab'
            aria-current={app.tab === tab ? 'page' : undefined}
            onClick={() => { app.go(tab) }}
          >
            {text(tab)}
          </button>
        ))}
      </nav>
      <Status app={app} />
      <div class='tools'>
        <button
          type='button'
          class='button wide'
          disabled={app.state?.routes === null || !app.feeds.all.some(({ status }) => status === 'live')}
          onClick={() => { void app.breakConnection() }}
        >
          {text('break')}
        </button>
        <Who app={app} />
        <button
          type='button'
          class='button'
          aria-label={text('settings')}
          title={text('settings')}
          onClick={() => { app.open('settings') }}
        >
          ⚙
        </button>
      </div>
    </header>
  )
}

function statusOf ({ feeds }: App): 'Live' | 'Cut' | 'Away' | 'Connecting' | 'Idle' {
  const all = feeds.all.filter(({ status }) => status !== 'refused' && status !== 'ended')
  if (feeds.isCut) return 'Cut'
  if (all.some(({ status }) => status === 'live')) return 'Live'
  if (all.some(({ status }) => status === 'away')) return 'Away'
  return all.length > 0 ? 'Connecting' : 'Idle'
}

function Status ({ app }: Props) {
  const status = statusOf(app)
  const rate = number(app.total.perSecond(Date.now()), 1)
  return (
    <div class={`status is-${status.toLowerCase()}`}>
      <span role='status'>{text(`status${status}`)}</span>
      {status === 'Live' && <span class='rate' title={text('rateLabel', { rate })}>{text('perSecond', { rate })}</span>}
    </div>
  )
}

/** Who one is, what one may see, and the way out. */
function Who ({ app }: Props) {
  const grant = app.state?.grant
  if (grant === undefined) return null
  const { key, instances, allEvents } = grant
  const name = !key
    ? text('whoAddress')
    : instances === null ? text('whoGlobal') : text('whoLimited', { instances: instances.slice(0, 3).join(', ') })
  const sees = instances === null
    ? text(key ? 'whoHintAll' : 'whoHintAddress')
    : text('whoHintSome', { count: instances.length })
  return (
    <Menu label={name} className='who end'>
      {() => (
        <>
          <p>{sees} {!allEvents && text('whoHintEvents')}</p>
          {key && <button type='button' onClick={() => { void app.signOut() }}>{text('signOut')}</button>}
        </>
      )}
    </Menu>
  )
}

function Banners ({ app }: Props) {
  const { state, problem } = app
  const away = statusOf(app) === 'Away'
  return (
    <div class='banners' role='alert'>
      {(away || problem !== null) && <p class='banner'>{away ? text('awayHint') : problem?.message}</p>}
      {state?.storeAvailable === false && problem === null && (
        <p class='banner'>{text('storeAway', { count: number(state.health?.pendingEvents ?? 0) })}</p>
      )}
    </div>
  )
}
