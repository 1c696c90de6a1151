import { io, type Socket } from 'socket.io-client'
import type { Refusal } from '../../lib/index.js'
import { type ClientOptions, type Transport } from './client.js'

/** What became of a client's first attempt. */
export interface Outcome {
  /** `in`, or the code of the refusal without its prefix, or `comes back` when the connection was ended without one. */
  readonly word: string
  readonly refusal: Refusal | undefined
  /** Whether the stock client tries again by itself. */
  readonly comesBack: boolean
  /** What HTTP answered, where it was HTTP that said no. */
  readonly http: { status: number, code: string | undefined } | undefined
}

type ConnectError = Error & { data?: Refusal, description?: unknown, context?: { responseText?: string } }

/** What the plugin's codes start with. */
export const PREFIX = 'FST_ERR_WS_EVENTS_'

export const shortCode = (code: string): string => code.startsWith(PREFIX) ? code.slice(PREFIX.length) : code

/** A client that is not closed by a test's teardown: for crowds. It waits a minute before it comes back. */
export function openClient (url: string, transport: Transport, options: ClientOptions = {}): Socket {
  return io(url, { forceNew: true, transports: [transport], reconnectionDelay: 60_000, reconnectionDelayMax: 60_000, timeout: 60_000, ...options })
}

/** Resolves to what becomes of a client's attempt; the socket stays as it then is. */
export async function outcomeOf (socket: Socket): Promise<Outcome> {
  return await new Promise(resolve => {
    const settle = (outcome: Outcome) => {
      socket.off('connect', onConnect)
      socket.off('connect_error', onError)
      socket.io.off('close', onEnd)
      resolve(outcome)
    }
    const onConnect = () => { settle({ word: 'in', refusal: undefined, comesBack: true, http: undefined }) }
    const onError = (error: ConnectError) => {
      if (error.data === undefined) settle({ word: 'comes back', refusal: undefined, comesBack: socket.active, http: httpOf(error) })
      else settle({ word: shortCode(error.data.code), refusal: error.data, comesBack: socket.active, http: undefined })
    }
    const onEnd = (reason: string) => {
      // So the client ends its own connection as it takes a refusal, of which it tells next.
      if (reason !== 'forced close') settle({ word: 'comes back', refusal: undefined, comesBack: socket.active, http: undefined })
    }
    socket.on('connect', onConnect)
    socket.on('connect_error', onError)
    socket.io.on('close', onEnd)
  })
}

/** The stock client shows the answer of HTTP in its error: the response itself (polling) or its status in a text (websocket). */
function httpOf ({ description, context }: ConnectError): Outcome['http'] {
  if (typeof description === 'number' && description !== 0) {
    const code = /"code":"(\w+)"/.exec(context?.responseText ?? '')?.[1]
    return { status: description, code: code === undefined ? undefined : shortCode(code) }
  }
  const status = /Unexpected server response: (\d+)/.exec((description as { message?: string } | undefined)?.message ?? '')?.[1]
  return status === undefined ? undefined : { status: Number(status), code: undefined }
}

/** Runs `work` for every item, some at a time; results in the order of the items. */
export async function inParallel<Item, Result> (items: readonly Item[], atATime: number, work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = []
  let next = 0
  await Promise.all(Array.from({ length: atATime }, async () => {
    while (next < items.length) {
      const index = next++
      results[index] = await work(items[index] as Item)
    }
  }))
  return results
}

/** Reads a table drawn with `|`: a row of heads, then a row each; cells are trimmed. */
export function readTable (text: string): { heads: string[], rows: string[][] } {
  const [heads = [], ...rows] = text.split('\n').filter(line => line.includes('|')).map(line => line.split('|').map(cell => cell.trim()))
  for (const row of rows) {
    if (row.length !== heads.length) throw new Error(`a row of ${row.length} cells in a table of ${heads.length}: ${row.join(' | ')}`)
  }
  return { heads, rows }
}
