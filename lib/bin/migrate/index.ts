import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { Failure } from '../failure.js'
import { report } from './report.js'
import type { Language } from './variables.js'

/**
 * Reads the `.env` of an Evolution API, and describes the migration.
 *
 * @throws Failure with the code `unreadable`
 */
export function migrate (file: string, language: Language): string {
  return report(file, parseEnv(read(file)), language)
}

function read (file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reason = code === 'ENOENT'
      ? 'there is no such file'
      : code === 'EISDIR' ? 'it is a folder' : code ?? String(error)
    throw new Failure(
      'unreadable',
      `Cannot read ${file}: ${reason}. Give the .env of Evolution API: npx fastify-ws-events migrate FILE`
    )
  }
}
