import { CODES } from './codes.js'
import type { Row, State, Way } from './rows.js'

/** What is seen of a client from the moment that something happens to it. */
export interface Observation {
  /** What it is told first of its connection; `nothing` while it is served on. */
  readonly told: string
  /** Whether the stock client comes back by itself. */
  readonly returns: 'yes' | 'no' | '-'
  /** Which events it gets, of the past and of what is emitted from then on, on whatever connection. */
  readonly gets: string
  /** What has grown in `stats()` when it is told. */
  readonly counted: string
  /** The first line of the log about it: its level, and its code or reason. */
  readonly logged: string
  /** Whether nothing of it is left on the server, and the next client has its place. */
  readonly released: string
}

const isSocket = (way: Way): boolean => way === 'websocket' || way === 'polling'

/** Whether it was let in before. */
const wasIn = (state: State): boolean => state === 'recovering' || state === 'live' || state === 'muted'

const NOTHING: Observation = {
  told: 'nothing',
  returns: '-',
  gets: 'none',
  counted: 'nothing',
  logged: 'nothing',
  released: 'yes'
}

/** What a client gets that is served from then on. Muted clients are enabled at the end of each row. */
const served = ({ state }: Row): string => state === 'muted' ? 'once enabled' : 'all'
/** A client that was recovering gets the past first. */
const withPast = ({ state, way }: Row, gets: string): string =>
  state === 'recovering' && way !== 'page' ? `past, ${gets}` : gets
/** A socket brings its id whenever it comes back; an EventSource only one that it was told. */
const onReturn = (row: Row): string => isSocket(row.way) ? withPast(row, served(row)) : served(row)

/** What fails in the host's own check is the host's to look after. */
const loggedOf = (code: string): string => code === 'VERIFY_FAILED' ? 'error verify failed' : `info ${code}`

/** A refusal: the client stays away. */
const refused = ({ way }: Row, code: string): Observation => ({
  ...NOTHING,
  told: isSocket(way) ? `connect_error ${code}` : `${CODES[code] ?? 'no status for'} ${code}`,
  returns: 'no',
  counted: `refused.${code}`,
  logged: loggedOf(code)
})

/** Its transport ends, and it comes back by itself; a page is asked for once. */
const cut = (row: Row, counted: string, logged: string): Observation => row.way === 'page'
  ? { ...NOTHING, told: 'connection ends', returns: 'no', counted, logged }
  : { ...NOTHING, told: 'connection ends', returns: 'yes', gets: onReturn(row), counted, logged }

/** The server closes: those that are in are ended, and those that are not are refused. A stock client tries again. */
const closing = (row: Row): Observation => {
  const isPending = row.state === 'authorizing' || row.state === 'subscribing'
  const logged = ifIn(row, isSocket(row.way) ? 'debug connection lost' : 'debug server closing')
  return {
    ...cut(row, isPending ? 'refused.CLOSED' : 'nothing', isPending ? 'info CLOSED' : logged),
    told: isSocket(row.way) ? 'connection ends' : 'stream ends',
    gets: 'none'
  }
}

/** What a stream gets that comes back, by what becomes of it then. It resumes from an id of the former instance. */
const GETS_THEN: Readonly<Record<string, string>> = {
  in: 'all',
  next: 'of the next instance, all',
  muted: 'once enabled'
}

/** A session that was in is ended. A stock Socket.IO client stays away; a stream is asked for again. */
const ended = (row: Row, then: string | undefined, counted: string, logged: string): Observation => {
  if (isSocket(row.way)) return { ...NOTHING, told: 'disconnect', returns: 'no', counted, logged }
  return { ...NOTHING, told: 'stream ends', returns: 'yes', gets: GETS_THEN[then ?? ''] ?? 'none', counted, logged }
}

/** What a line says of the end of a client that was in; nothing is said of others that go. */
const ifIn = ({ state, way }: Row, logged: string): string => wasIn(state) && way !== 'page' ? logged : 'nothing'

type Outcome = (row: Row, then: string | undefined) => Observation

const outcomes: Readonly<Record<string, Outcome>> = {
  in: row => ({ ...NOTHING, gets: withPast(row, 'all') }),
  narrowed: row => ({ ...NOTHING, gets: withPast(row, 'CHATS_SET only') }),
  muted: row => ({ ...NOTHING, gets: withPast(row, 'once enabled') }),
  whole: () => ({ ...NOTHING, told: '200, whole', returns: 'no', gets: 'past' }),
  removed: (row, then) => ended(row, then, 'nothing', 'debug removed'),
  disabled: (row, then) => ended(row, then, 'nothing', 'debug disabled'),
  kicked: (row, then) => ended(row, then, 'nothing', 'debug disconnected by the host'),
  revoked: (row, then) => ended(row, then, 'refused.FORBIDDEN', 'info FORBIDDEN'),
  lost: row => cut(row, 'nothing', ifIn(row, 'debug connection lost')),
  idle: row => cut(row, 'limits.idleMs', 'nothing'),
  flood: row => cut(row, 'refused.LIMIT_REACHED, limits.inboundPerSecond', 'info LIMIT_REACHED'),
  slow: row => cut(row, 'limits.queuedBytes, slowConsumers', 'warn slow'),
  // What was on its way to it told it an id.
  stalled: row => ({ ...cut(row, 'slowConsumers', 'warn slow'), gets: withPast(row, served(row)) }),
  closing,
  left: row => ({ ...NOTHING, logged: ifIn(row, isSocket(row.way) ? 'debug left' : 'debug connection lost') }),
  replaced: row => ({ ...NOTHING, gets: served(row), logged: 'debug replaced' }),
  ALREADY_JOINED: row => ({ ...refused(row, 'ALREADY_JOINED'), returns: '-', gets: served(row) })
}

/** A passing fault: the connection ends, and a Socket.IO client comes back. Over HTTP there is only a refusal. */
const passing = (row: Row, code: string, limit: string): Observation =>
  cut(row, `refused.${code}${limit}`, loggedOf(code))

/** What is to become of a row's client. */
export function expected (row: Row): Observation {
  const [word = '', then] = row.outcome.split(' > ')
  const known = outcomes[word]
  if (known !== undefined) return known(row, then)
  const [code = '', again] = word.split(' ')
  const limit = code === 'LIMIT_REACHED' ? `, limits.${row.happening.split(' ')[0] ?? ''}` : ''
  return again === undefined ? { ...refused(row, code), counted: `refused.${code}${limit}` } : passing(row, code, limit)
}
