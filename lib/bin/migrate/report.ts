import type { TSchema } from '@sinclair/typebox'
import { optionSchemas } from '../../options.js'
import { changesInEvolution, envBeside, slots } from './beside.js'
import { registerCall } from './register-call.js'
import { TEXTS } from './texts.js'
import { type Effect, type Env, type Language, VARIABLES } from './variables.js'

/** The variables that the plugin reads. */
const OURS = Object.values<TSchema>(optionSchemas).map(({ env }) => String(env))
/** Whether a variable is about webhooks. They have a section of their own. */
const isWebhooks = (name: string): boolean => name.startsWith('WEBHOOK_')

/**
 * Describes the migration for the user.
 *
 * @param file its name, for the generated code
 * @param variables of Evolution's `.env`; the result contains no key
 */
export function report (file: string, variables: Env, language: Language = 'en'): string {
  const texts = TEXTS[language]
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
      : [texts.headings[effect], ...found.map(({ name, text }) => `  ${name}\n      ${text[language]}`), '']
  }
  const isOther = (name: string): boolean => !(name in VARIABLES) && !OURS.includes(name) && !isWebhooks(name)
  const others = Object.keys(env).filter(isOther).length
  return [
    texts.beside,
    texts.besideIntro(file),
    '',
    envBeside(env, texts),
    '',
    texts.inEvolution,
    '',
    changesInEvolution(env, texts),
    '',
    texts.slots,
    `  ${slots(env, texts)}`,
    '',
    texts.differencesTitle,
    ...texts.differences.map(text => `  - ${text}`),
    '',
    texts.ownServer,
    `  ${texts.ownServerIntro}`,
    '',
    ...section('changes'),
    ...section('stays'),
    ...section('no effect'),
    ...(others === 0 ? [] : [texts.others(others), '']),
    ...texts.ownDifferences.map(text => `  - ${text}`),
    '',
    texts.call,
    '',
    registerCall(file, env)
  ].join('\n')
}
