import { createHash, randomBytes } from 'node:crypto'
import { epochOf, isId } from '../log/ids.js'

/** Number of random bytes in a pid, and number of bytes that identify its stream. */
const SALT = 6
const TAG = 8
/** Longest text that is read as a pid. Real ones are much shorter. */
const MAX_LENGTH = 200

/** Stands for the root: no instance can have this name. */
const ROOT = '/'

function tagOf (salt: Buffer, instance: string | null, id: string): Buffer {
  return createHash('sha256').update(salt).update(`${instance ?? ROOT},${id}`).digest().subarray(0, TAG)
}

/**
 * Makes the private id that a stock client keeps for a namespace. It contains the id after which the client joined its
 * stream. It is opaque but not secret: a forged pid has no more effect than a forged `lastEventId`.
 *
 * @param instance `null`: the root
 */
export function makePid (instance: string | null, id: string): string {
  const salt = randomBytes(SALT)
  return Buffer.concat([salt, tagOf(salt, instance, id), Buffer.from(id)]).toString('base64url')
}

/**
 * The id after which a client joined its stream.
 *
 * @param pid any value, as a client gave it
 * @returns `null` if the pid was not made for this stream
 */
export function idOfPid (pid: unknown, instance: string | null): string | null {
  if (typeof pid !== 'string' || pid.length > MAX_LENGTH) return null
  const bytes = Buffer.from(pid, 'base64url')
  const salt = bytes.subarray(0, SALT)
  const id = bytes.subarray(SALT + TAG).toString()
  return tagOf(salt, instance, id).equals(bytes.subarray(SALT, SALT + TAG)) ? id : null
}

/**
 * The newest id that a client is known to have received: its offset, or the id after which it joined. An offset that is
 * not an id is the last argument of an event that the application has sent itself. An offset of another epoch, or from
 * before the client joined, is older than a gap.
 *
 * @param joined the id after which the client joined
 * @param offset any value, as a client gave it
 */
export function resumeAfter (joined: string, offset: unknown): string {
  if (typeof offset !== 'string' || !isId(offset) || epochOf(offset) !== epochOf(joined)) return joined
  return offset > joined ? offset : joined
}
