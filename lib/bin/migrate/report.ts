import type { TSchema } from '@sinclair/typebox'
import { optionSchemas } from '../../options.js'
import { registerCall } from './register-call.js'
import { type Effect, type Env, VARIABLES } from './variables.js'

const HEADINGS: Readonly<Record<Effect, string>> = {
  stays: 'STAYS AS IT IS',
  changes: 'CHANGES',
  'no effect': 'HAS NO EFFECT HERE'
}

/** What no variable decides. */
const DIFFERENCES = [
  'date_time of a message is true UTC. Evolution writes local time and marks it as UTC.',
  'A message has no apikey, unless you give one to emit. It has an id besides, from which a client can resume.',
  'The key of an instance opens that instance alone. Your option verify says which key that is.',
  'A key may come in auth.apikey of the client, so that it is not in the URL. Query and header work as before.',
  'A refusal is final: a stock client gets connect_error with data.code and does not try again by itself.',
  'A namespace is there as soon as its instance is set, not only after its first event.',
  'enabled: true without events means all events. GROUPS_UPDATE arrives, also where a config says GROUP_UPDATE.',
  'Events and configs end with the process, unless WEBSOCKET_STORE is set: lmdb:./data, or redis://HOST for many nodes.',
  'There is no sendNode.'
]

/** The variables that the plugin reads. */
const OURS = Object.values<TSchema>(optionSchemas).map(({ env }) => String(env))

/**
 * What changes for a host that moves here, in plain words.
 *
 * @param file its name, for the call
 * @param variables of an Evolution `.env`; no key among them is in the answer
 */
export function report (file: string, variables: Env): string {
  const env: Env = Object.fromEntries(Object.entries(variables)
    .map(([name, value]) => [name, value?.trim() || undefined]))
  const findings = Object.entries(VARIABLES).flatMap(([name, { judge }]) => {
    const finding = judge(env[name], env)
    return finding === undefined ? [] : [{ name, ...finding }]
  })
  const section = (effect: Effect): string[] => {
    const found = findings.filter(finding => finding.effect === effect)
    return found.length === 0
      ? []
      : [HEADINGS[effect], ...found.map(({ name, text }) => `  ${name}\n      ${text}`), '']
  }
  const others = Object.keys(env).filter(name => !(name in VARIABLES) && !OURS.includes(name)).length
  return [
    ...section('changes'),
    ...section('stays'),
    ...section('no effect'),
    ...(others === 0 ? [] : [`Other variables in the file: ${others}. The plugin does not read them.`, '']),
    'WHATEVER THE FILE SAYS',
    ...DIFFERENCES.map(text => `  - ${text}`),
    '',
    'A SERVER WITH THESE SETTINGS: npm install fastify fastify-ws-events, save it as server.mjs, run node server.mjs',
    '',
    registerCall(file, env)
  ].join('\n')
}
