import { parseArgs } from 'node:util'
import { Failure } from './failure.js'

export type Command =
  | { readonly name: 'help' | 'version' }
  /** `undefined`: what the environment says. */
  | { readonly name: 'serve', readonly port: number | undefined }
  | { readonly name: 'migrate', readonly file: string }

/** @throws Failure with the code `usage`, for arguments that are none of a command's */
export function readCommand (args: readonly string[]): Command {
  const { values, positionals: [name, ...more] } = parse(args)
  if (values.help === true) return { name: 'help' }
  if (values.version === true) return { name: 'version' }
  if (name === undefined) return { name: 'serve', port: values.port === undefined ? undefined : readPort(values.port) }
  if (name !== 'migrate') throw usage(`There is no command "${name}".`)
  if (more.length > 1) throw usage('migrate reads one file.')
  if (values.port !== undefined) throw usage('migrate has no --port.')
  return { name: 'migrate', file: more[0] ?? '.env' }
}

function parse (args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { port: { type: 'string' }, help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' } }
    })
  } catch (error) {
    // What follows the first sentence is about arguments that begin with a dash: there are none here.
    throw usage(`${(error as Error).message.split('. ')[0]}.`)
  }
}

function readPort (text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65_535) throw usage(`--port must be a number from 0 to 65535, got "${text}".`)
  return port
}

const usage = (message: string): Failure => new Failure('usage', `${message}\nSee npx fastify-ws-events --help`)
