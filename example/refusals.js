/** @import { Refusal } from 'fastify-ws-events' */

/**
 * By the code without its prefix.
 *
 * @type {Readonly<Record<string, string>>}
 */
const MEANINGS = {
  UNAUTHORIZED: 'The server wants a key, and this client gave none. Set WS_APIKEY.',
  FORBIDDEN: 'The key that this client gave does not open this namespace. Check WS_APIKEY.',
  NOT_SET: 'Nobody has set this instance yet. Set it first, or check the spelling of its name.',
  INSTANCE_DISABLED: 'The instance is there, but somebody has switched its events off.',
  GLOBAL_DISABLED: 'Only a server in global mode has events at the root. Connect to an instance.',
  INVALID_NAME: 'No instance can have this name.'
}

/**
 * The refusal in lines that a person can read.
 *
 * @param {string} where
 * @param {Refusal} refusal what a refused client gets as `err.data` of `connect_error`
 */
export function describeRefusal (where, { code, message, retry }) {
  const meaning = MEANINGS[code.replace('FST_ERR_WS_EVENTS_', '')] ?? 'See docs/errors.md.'
  return [
    `Refused at ${where}`,
    `  code     ${code}`,
    `  message  ${message}`,
    `  retry    ${retry}: ${retry ? 'a later try may work; the client must call socket.connect() itself' : 'to try again unchanged is useless'}`,
    `  meaning  ${meaning}`
  ].join('\n')
}
