import { parseArgs } from 'node:util'
import { Failure } from './failure.js'
import type { Language } from './migrate/variables.js'

export type Command =
  | { readonly name: 'help' | 'version' }
  /** `port`: `undefined` means that of the environment. */
  | { readonly name: 'demo', readonly port: number | undefined }
  | { readonly name: 'serve' }
  | { readonly name: 'migrate', readonly file: string, readonly language: Language }

/**
 * Parses the arguments of the command.
 *
 * @throws Failure with the code `usage` for unknown arguments
 */
export function readCommand (args: readonly string[]): Command {
  const { values, positionals: [name, ...more] } = parse(args)
  if (values.help === true) return { name: 'help' }
  if (values.version === true) return { name: 'version' }
  if (name === undefined) return { name: 'demo', port: values.port === undefined ? undefined : readPort(values.port) }
  if (name !== 'serve' && name !== 'migrate') throw usage(`There is no command "${name}".`)
  if (values.lang !== undefined && name !== 'migrate') throw usage(`${name} has no --lang.`)
  if (values.port !== undefined) throw usage(`${name} has no --port.${name === 'serve' ? ' Set PORT.' : ''}`)
  if (name === 'serve') {
    if (more.length > 0) throw usage('serve is configured by the environment and .env alone.')
    return { name }
  }
  if (more.length > 1) throw usage('migrate reads one file.')
  return { name: 'migrate', file: more[0] ?? '.env', language: readLanguage(values.lang) }
}

function parse (args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        port: { type: 'string' },
        lang: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' }
      }
    })
  } catch (error) {
    // Only the first sentence of Node's message: the rest is about arguments that begin with a dash.
    throw usage(`${(error as Error).message.split('. ')[0]}.`)
  }
}

function readPort (text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65_535) throw usage(`--port must be a number from 0 to 65535, got "${text}".`)
  return port
}

/** @param text the argument; left out: the language of the environment */
function readLanguage (text: string | undefined): Language {
  if (text === undefined) {
    const { LC_ALL, LC_MESSAGES, LANG } = process.env
    return /^pt/i.test(LC_ALL || LC_MESSAGES || LANG || '') ? 'pt' : 'en'
  }
  if (text !== 'en' && text !== 'pt') throw usage(`--lang must be en or pt, got "${text}".`)
  return text
}

const usage = (message: string): Failure => new Failure('usage', `${message}\nSee npx fastify-ws-events --help`)
