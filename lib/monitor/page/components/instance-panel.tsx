import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { MonitorState } from '../../state.js'
import type { App, Instance } from '../app.js'
import { isSilent } from '../model/rates.js'
import { bytes, clock, number, refusalText, span, text, word } from '../texts.js'
import { type Question, type Run, stateOf } from './instances.js'

type Props = { app: App, instance: Instance, run: Run }

/** One instance: what its clients get, why they may get nothing, and what can be done. */
export function InstancePanel ({ app, instance, run, ask }: Props & { ask: (question: Question) => void }) {
  return (
    <div class='instance-panel'>
      <Checks app={app} instance={instance} />
      <Events app={app} instance={instance} run={run} />
      <Actions app={app} instance={instance} run={run} ask={ask} />
    </div>
  )
}

/** The page itself is the client that joined when the page did. */
function withoutPage ({ feeds }: App, name: string, clients: MonitorState['clients']): MonitorState['clients'] {
  if (!feeds.isLive(name)) return clients
  const since = feeds.find(name)?.readyAt ?? 0
  const own = clients.find(each => Math.abs(Date.parse(each.since) - since) < 1500)
  return clients.filter(client => client !== own)
}

/** The clients of an instance, asked for again when the state is. */
function useClients (app: App, name: string): MonitorState['clients'] {
  const [clients, setClients] = useState<MonitorState['clients']>([])
  useEffect(() => {
    let isCurrent = true
    app.api.state(name).then(({ clients }) => { if (isCurrent) setClients(withoutPage(app, name, clients)) }, () => {})
    return () => { isCurrent = false }
  }, [name, app.state?.now])
  return clients
}

function Checks ({ app, instance }: Omit<Props, 'run'>) {
  const { instance: name, emitted, skipped, skipReason, interval } = instance
  const clients = useClients(app, name)
  const now = app.now()
  const status = stateOf(instance, app.state?.evolution === true)
  const last = app.lastOf(instance)
  const found: Array<readonly [isBad: boolean, said: ComponentChildren]> = []
  if (status === 'stateOff') found.push([true, text('checkDisabled')])
  if (status === 'stateMuted') found.push([true, text('checkMuted')])
  if (status === 'stateUnset') found.push([true, text('checkUnset')])
  if (emitted === 0) found.push([true, text('checkNone')])
  else if (skipped === 0) found.push([false, text('checkEmitted', { count: number(emitted) })])
  else {
    const reason = word('skip', skipReason ?? '')
    found.push([true, text('checkSkipped', { count: number(skipped), all: number(emitted), reason })])
  }
  if (last !== null && isSilent(last, interval, emitted, now)) {
    found.push([true, text('silentHint', { usual: span(interval), time: span(now - last) })])
  }
  if (app.clientsOf(instance) === 0) found.push([true, text('checkNoClient')])
  for (const { code, count, last, address } of app.state?.refused.filter(each => each.instance === name) ?? []) {
    found.push([true, text('checkRefused', {
      count: number(count),
      time: span(now - Date.parse(last)),
      from: address === null ? '' : text('fromAddress', { address }),
      reason: refusalText(code)
    })])
  }
  for (const { address, since, events, queuedBytes } of clients) {
    const waits = queuedBytes > 0 ? `; ${text('checkQueued', { size: bytes(queuedBytes) })}` : ''
    found.push([queuedBytes > 0, text('checkClient', {
      address: address ?? text('aClient'),
      time: clock(Date.parse(since)),
      events: events?.join(', ') ?? text('eventsAll')
    }) + waits])
  }
  return (
    <section>
      <h2>{text('checkTitle')}</h2>
      <ul class='checks'>
        {found.map(([isBad, said], at) => <li key={at} class={isBad ? 'is-bad' : 'is-good'}>{said}</li>)}
      </ul>
    </section>
  )
}

const constant = (event: string): string => event.replace(/[.-]/g, '_').toUpperCase()

function Events ({ app, instance, run }: Props) {
  const all = app.state?.events ?? []
  const inForce = instance.events.length === 0 ? all.map(constant) : instance.events
  const [chosen, setChosen] = useState<readonly string[]>(inForce)
  const isChanged = [...chosen].sort().join() !== [...inForce].sort().join()
  const isAll = all.every(event => chosen.includes(constant(event)))
  const toggle = (name: string): void => {
    setChosen(chosen.includes(name) ? chosen.filter(each => each !== name) : [...chosen, name])
  }
  const save = async (): Promise<void> => {
    await run(async () => {
      const problem = await app.set(instance.instance, { enabled: instance.enabled, events: isAll ? [] : chosen })
      if (problem === null) app.notify(text('saved'))
      return problem
    })
  }
  return (
    <section>
      <h2>{text('eventsTitle')}</h2>
      <fieldset disabled={app.state?.routes === null || app.state?.grant.allEvents === false}>
        <legend class='hidden'>{text('eventsTitle')}</legend>
        <label class='check'>
          <input type='checkbox' checked={isAll} onChange={() => { setChosen(isAll ? [] : all.map(constant)) }} />
          <b>{text('selectAll')}</b>
        </label>
        <div class='options'>
          {all.map(event => (
            <label key={event} class='check'>
              <input
                type='checkbox' checked={chosen.includes(constant(event))}
                onChange={() => { toggle(constant(event)) }}
              /> {event}
            </label>
          ))}
        </div>
        {isChanged && (
          <button type='button' class='primary' disabled={chosen.length === 0} onClick={() => { void save() }}>
            {text('save')}
          </button>
        )}
      </fieldset>
    </section>
  )
}

function Actions ({ app, instance, run, ask }: Props & { ask: (question: Question) => void }) {
  const { instance: name, enabled } = instance
  const { state } = app
  if (state === null || state.routes === null) return null
  const count = number(app.clientsOf(instance))
  const mutes = state.evolution
  const disable = (): void => {
    ask({
      title: text(mutes ? 'askMute' : 'askDisable', { instance: name }),
      hint: text(mutes ? 'askMuteHint' : 'askDisableHint', { count }),
      button: text(mutes ? 'mute' : 'disable'),
      act: async () => await app.set(name, { enabled: false })
    })
  }
  const disconnect = (): void => {
    ask({
      title: text('askDisconnect', { instance: name }),
      hint: text('askDisconnectHint', { count }),
      button: text('disconnect'),
      act: async () => await app.disconnect(name)
    })
  }
  const isFollowed = app.feeds.find(null) !== undefined || app.feeds.isLive(name)
  return (
    <div class='buttons'>
      <button type='button' onClick={() => { app.see({ instances: [name], range: null }); app.go('stream') }}>
        {text('stream')}
      </button>
      {!isFollowed && enabled && (
        <button type='button' onClick={() => { void app.follow(name) }}>{text('follow')}</button>
      )}
      {enabled
        ? <button type='button' class='danger' onClick={disable}>{text(mutes ? 'mute' : 'disable')}</button>
        : (
          <button
            type='button' class='primary'
            onClick={() => { void run(async () => await app.set(name, { enabled: true })) }}
          >
            {text(mutes && instance.set ? 'unmute' : 'enable')}
          </button>
          )}
      <button type='button' class='danger' disabled={count === '0'} onClick={disconnect}>{text('disconnect')}</button>
    </div>
  )
}
