import type { MonitorState } from '../state.js'
import { eventsPath } from './api.js'
import type { View } from './model/view.js'

type Facts = Pick<MonitorState, 'mode' | 'routes' | 'grant'>

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
const literal = (value: unknown): string => JSON.stringify(value).replaceAll('"', "'").replaceAll("','", "', '")

/** The streams that a view needs: the root where there is one, else each instance's. */
function streamsOf ({ mode, grant }: Facts, { instances }: View, listed: readonly string[]): Array<string | null> {
  if (instances.length === 1) return [instances[0] ?? null]
  if (mode === 'global' && grant.instances === null) return [null]
  return [...instances.length > 0 ? instances : listed]
}

/** Commands that print the events of a view as they come. What only the page filters by is left to jq. */
export function curlOf (facts: Facts, view: View, listed: readonly string[], origin: string): string {
  const key = facts.grant.key ? ' -H "apikey: $WS_APIKEY"' : ''
  return streamsOf(facts, view, listed).map(instance => {
    const query = new URLSearchParams()
    if (view.events.length > 0) query.set('events', view.events.join())
    if (instance === null && view.instances.length > 0) query.set('instances', view.instances.join())
    const params = query.size === 0 ? '' : `?${String(query)}`
    return `curl -N${key} ${quoted(`${origin}${eventsPath(facts.routes ?? '', instance)}${params}`)}`
  }).join('\n')
}

/** A program that gets the events of a view, and resumes. */
export function clientCodeOf (facts: Facts, view: View, listed: readonly string[], origin: string): string {
  const conditions = [
    ...view.kinds.length > 0 ? [`kind: ${view.kinds.join()}`] : [],
    ...view.direction !== '' ? [`direction: ${view.direction}`] : []
  ]
  const streams = streamsOf(facts, view, listed)
  const lines = streams.map((instance, at) => {
    const options = [
      ...facts.grant.key ? ['apikey: process.env.WS_APIKEY'] : [],
      ...view.events.length > 0 ? [`events: ${literal(view.events)}`] : [],
      ...instance === null && view.instances.length > 0 ? [`instances: ${literal(view.instances)}`] : []
    ]
    const url = `${origin}${instance === null ? '' : `/${encodeURIComponent(instance)}`}`
    const name = streams.length === 1 ? 'client' : `client${at + 1}`
    return `const ${name} = connect('${url}'${options.length === 0 ? '' : `, { ${options.join(', ')} }`})\n` +
      `${name}.onAny(message => console.log(message.instance, message.event, message.data))`
  })
  return [
    "import { connect } from 'fastify-ws-events/client' // npm install fastify-ws-events socket.io-client",
    '',
    ...lines,
    ...conditions.length > 0 ? [`// The page also filters by ${conditions.join(', ')}: test message.data for it`] : []
  ].join('\n')
}
