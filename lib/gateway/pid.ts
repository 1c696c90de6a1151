import { createHash, randomBytes } from 'node:crypto'
import { epochOf, isId } from '../log/ids.js'

/** Bytes that make each pid another one, and bytes that tell whether it was made for a stream. */
const SALT = 6
const TAG = 8
/** Far longer than any pid. */
const MAX_LENGTH = 200

/** No instance has such a name. */
const ROOT = '/'

function tagOf (salt: Buffer, instance: string | null, id: string): Buffer {
  return createHash('sha256').update(salt).update(`${instance ?? ROOT},${id}`).digest().subarray(0, TAG)
}

/**
 * The private id that a stock client keeps for a namespace: it says after which id the client has joined its stream.
 * It is opaque and not secret: a forged pid does no more than a `lastEventId`.
 *
 * @param instance `null`: the root
 */
export function makePid (instance: string | null, id: string): string {
  const salt = randomBytes(SALT)
  return Buffer.concat([salt, tagOf(salt, instance, id), Buffer.from(id)]).toString('base64url')
}

/**
 * After which id a client has joined its stream.
 *
 * @param pid any value, as a client gave it
 * @returns `null` for what was not made for this stream
 */
export function idOfPid (pid: unknown, instance: string | null): string | null {
  if (typeof pid !== 'string' || pid.length > MAX_LENGTH) return null
  const bytes = Buffer.from(pid, 'base64url')
  const salt = bytes.subarray(0, SALT)
  const id = bytes.subarray(SALT + TAG).toString()
  return tagOf(salt, instance, id).equals(bytes.subarray(SALT, SALT + TAG)) ? id : null
}

/**
 * The newest id that a client is known to have: its offset, or the id after which it has joined. An offset that is none
 * of ours is the last argument of an event that the application has sent by itself. One of another epoch, or from
 * before the client has joined, is what it had before a gap.
 *
 * @param joined after which id it has joined
 * @param offset any value, as a client gave it
 */
export function resumeAfter (joined: string, offset: unknown): string {
  if (typeof offset !== 'string' || !isId(offset) || epochOf(offset) !== epochOf(joined)) return joined
  return offset > joined ? offset : joined
}
