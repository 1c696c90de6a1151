import type { LogLine } from '../helpers/log.js'
import { shortCode } from '../helpers/outcome.js'

const LEVELS: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error' }

/** The reasons of `client disconnected`, most of them Socket.IO's. Which side ends a connection first is chance. */
const REASONS: Readonly<Record<string, string>> = {
  'transport close': 'connection lost',
  'transport error': 'connection lost',
  'ping timeout': 'connection lost',
  'forced close': 'connection lost',
  'client namespace disconnect': 'left',
  kicked: 'disconnected by the host',
  'server shutting down': 'server closing',
  replaced: 'replaced'
}

/** What a line is about that has neither, by its first words. */
const WORDS: Readonly<Record<string, string>> = {
  'slow consumer disconnected': 'slow',
  'the option verify failed': 'verify failed'
}

/** A line as the page shows it: its level, and its code or reason. */
export function shown ({ level, code, reason, msg }: LogLine): string {
  const why = typeof reason === 'string' ? REASONS[reason] ?? reason : undefined
  const what = typeof code === 'string' ? shortCode(code) : why
  const word = Object.entries(WORDS).find(([start]) => msg.startsWith(start))?.[1]
  return `${LEVELS[level] ?? level} ${what ?? word ?? msg}`
}
