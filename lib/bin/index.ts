#!/usr/bin/env node
import { readCommand } from './command.js'
import { explain, exitCodeOf } from './failure.js'
import { USAGE } from './usage.js'
import { version } from './version.js'

const print = (text: string): void => { process.stdout.write(`${text}\n`) }

async function run (args: readonly string[]): Promise<void> {
  const command = readCommand(args)
  // Commands are imported on demand: help and `migrate` do not need Fastify.
  switch (command.name) {
    case 'help': return print(USAGE)
    case 'version': return print(version())
    case 'migrate': return print((await import('./migrate/index.js')).migrate(command.file, command.language))
    case 'demo': return await (await import('./demo/index.js')).demonstrate(command.port, print)
    case 'serve': return await (await import('./serve/index.js')).serve()
  }
}

try {
  await run(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${explain(error)}\n`)
  process.exitCode = exitCodeOf(error)
}
