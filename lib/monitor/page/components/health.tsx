import type { App } from '../app.js'
import { bytes, clock, number, refusalText, text, type TextName } from '../texts.js'
import { Chart } from './chart.js'
import { Empty } from './parts.js'

type Props = { app: App }

/** How the node is: now, and over the last hour. */
export function HealthView ({ app }: Props) {
  const health = app.state?.health
  if (health === undefined || health === null) {
    return (
      <div class='page' tabIndex={0} role='region' aria-label={text('health')}>
        <Empty title={text('healthNone')} />
        <Refused app={app} />
      </div>
    )
  }
  const { samples } = app.health
  const times = samples.map(({ time }) => time)
  const last = samples.at(-1)
  const own = app.feeds.all.some(({ status }) => status === 'live') ? 1 : 0
  const others = ({ connections }: { connections: number }): number => Math.max(0, connections - own)
  const figures = [
    ['connections', number(others(health)), samples.map(others), undefined],
    ['deliveries', number(last?.delivered ?? 0, 1), samples.map(({ delivered }) => delivered), undefined],
    ['queue', bytes(health.queuedBytes), samples.map(({ queued }) => queued), bytes],
    ['slow', number(health.slowConsumers), samples.map(({ slow }) => slow), undefined]
  ] as const
  return (
    <div class='page' tabIndex={0} role='region' aria-label={text('health')}>
      <p class='hint'>{text('healthHint')}</p>
      <div class='figures'>
        {figures.map(([name, now, values, format]) => (
          <section key={name} class='card'>
            <h2>{text(name)} {name === 'connections' && own > 0 && <small>({text('clientsYou')})</small>}</h2>
            <p class='figure'>{now}</p>
            <Chart times={times} values={values} label={text(name)} {...format !== undefined && { format }} />
          </section>
        ))}
      </div>
      <StoreCard app={app} />
      <Refused app={app} />
    </div>
  )
}

function StoreCard ({ app }: Props) {
  const health = app.state?.health
  if (health === undefined || health === null) return null
  const isThere = app.state?.storeAvailable === true
  const { store, pendingEvents, records, bytes: size, emitted, rejected, delivered, replayed } = health
  const totals = Object.entries({ emitted, rejected, delivered, replayed }) as Array<[TextName, number]>
  return (
    <section class='card'>
      <h2>{text('store')}</h2>
      <p>
        <code>{store.replace(/\/\/.*@/, '//')}</code>{' '}
        <span class={`badge is-${isThere ? 'on' : 'bad'}`}>{text(isThere ? 'storeOk' : 'storeBad')}</span>{' '}
        {pendingEvents > 0 && text('storePending', { count: number(pendingEvents) })}{' '}
        {text('storeHolds', { count: number(records), size: bytes(size) })}
      </p>
      <dl class='facts'>
        {totals.map(([name, count]) => <div key={name}><dt>{text(name)}</dt><dd>{number(count)}</dd></div>)}
      </dl>
    </section>
  )
}

/** Who was refused, why, and what to do: elsewhere there is only a line in the log. */
function Refused ({ app }: Props) {
  const refused = app.state?.refused ?? []
  return (
    <section class='card'>
      <h2>{text('refusedTitle')}</h2>
      {refused.length === 0
        ? <p class='hint'>{text('refusedNone')}</p>
        : (
          <div class='wide-table' tabIndex={0} role='region' aria-label={text('refusedTitle')}>
            <table id='refused'>
              <thead>
                <tr>
                  <th scope='col'>{text('instance')}</th><th scope='col'>{text('code')}</th>
                  <th scope='col'>{text('times')}</th><th scope='col'>{text('last')}</th>
                  <th scope='col'>{text('address')}</th><th scope='col'>{text('todo')}</th>
                </tr>
              </thead>
              <tbody>
                {refused.map(({ instance, code, count, last, address }) => (
                  <tr key={`${code} ${instance ?? '/'}`}>
                    <td>{instance ?? '/'}</td><td><code>{code}</code></td><td>{number(count)}</td>
                    <td>{clock(Date.parse(last))}</td><td>{address ?? '–'}</td><td>{refusalText(code)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          )}
    </section>
  )
}
