import { isDeepStrictEqual } from 'node:util'
import { expected, type Observation } from './outcomes.js'
import { type Row, type State, states } from './rows.js'

/** A row that was played, and what was seen. */
export interface Played {
  readonly row: Row
  readonly seen: Observation
}

/** Whether what was seen is what is right. */
export const isRight = ({ row, seen }: Played): boolean => isDeepStrictEqual(seen, expected(row))

const ABOUT: Readonly<Record<State, string>> = {
  connecting: 'The transport is open, and no namespace is asked for yet. HTTP clients ask as they connect.',
  authorizing: '`verify` has not answered yet.',
  subscribing: 'The key is accepted, and the store has not said yet that nothing can be missed.',
  recovering: 'The client has brought an id, and the past is being read. Of a page, the answer has not begun.',
  live: 'The client gets what is emitted.',
  muted: 'As live, with `evolution: true`, and the instance is disabled.'
}

const INTRODUCTION = `# Behaviour

What becomes of a client: for each state that it can be in, each thing that can happen to it, and each way in. Every row
was played by a real client against a real server. \`npm run behaviour\` makes this page, and \`npm test\` fails when
it is out of date. Do not edit it by hand: what is expected stands in \`test/behaviour/rows.ts\` and \`outcomes.ts\`.

- **Ways in**: \`websocket\` and \`polling\` are Socket.IO's own client; \`stream\` is an EventSource; \`page\` is one
  request for a page of history.
- **Told**: what the client sees first of its own connection. \`connect_error\` comes with the code in \`data.code\`;
  \`disconnect\` has the reason \`io server disconnect\`; \`stream ends\` is an answer that ends in order;
  \`connection ends\` is one that is cut, or a transport that closes; a number is the status of HTTP, with the code.
- **Comes back**: whether that stock client tries again by itself. \`-\`: it never left, or left by itself.
- **Gets**: the events that reach it afterwards, on whatever connection, of those that are emitted once it is in again,
  if it comes back. \`past\`: those that it had missed. \`once enabled\`: none while the instance is disabled.
- **Counted**: what grows in \`stats()\`. **Logged**: the level of the first line about it, and its code or reason.
- **Released**: whether the server keeps nothing of it: it is not listed, the next client has its place under
  \`limits\`, and the store's stream is watched for nobody.
`

const HEADS = ['What happens', 'Ways in', 'Told', 'Comes back', 'Gets', 'Counted', 'Logged', 'Released']

const lineOf = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`.replaceAll('|  |', '| |')

/** A line for all ways in that have the same in it. */
function linesOf (played: readonly Played[]): string[] {
  const lines = new Map<string, { readonly row: Row, readonly ways: string[], readonly cells: readonly string[] }>()
  for (const one of played) {
    const { row } = one
    const { told, returns, gets, counted, logged, released } = one.seen
    const cells = [told, returns, gets, counted, logged, released]
    const key = JSON.stringify([row.happening, cells])
    const line = lines.get(key) ?? { row, ways: [], cells }
    lines.set(key, line)
    line.ways.push(row.way)
  }
  return [...lines.values()].map(({ row, ways, cells }) => lineOf([row.happening, ways.join(', '), ...cells]))
}

/** The page of all rows. */
export function pageOf (played: readonly Played[]): string {
  const parts = states.map(state => {
    const lines = linesOf(played.filter(({ row }) => row.state === state))
    return [`## ${state}`, '', ABOUT[state], '', lineOf(HEADS), lineOf(HEADS.map(() => '---')), ...lines, ''].join('\n')
  })
  return `${INTRODUCTION}\n${played.length} rows.\n\n${parts.join('\n')}`
}
