import { connect } from 'node:net'
import { clientFrame } from './client-frame.js'
import { INSTANCE } from './payload.js'

/** Ways of coming to a server without any business there. */
export const attempts = ['wrong key by websocket', 'wrong key by polling', 'wrong namespace', 'no CONNECT', 'garbage upgrade'] as const
export type Attempt = typeof attempts[number]

/** What became of one: was told no, was ended unheard, got no answer at all, or (never) was let in. */
export const outcomes = ['refused', 'ended', 'abandoned', 'unanswered', 'let in'] as const
export type Outcome = typeof outcomes[number]

/** Something that is sent, and the answer that has to come before the next. */
interface Step {
  /** @param answer to the step before */
  readonly send: (answer: string) => string | Buffer
  readonly until: RegExp
}

const HOST = 'Host: 127.0.0.1\r\n'
const UPGRADE = `${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`
const OPENED = /"sid":"([^"]+)"/
const ANSWERED = /\r\n\r\n[^]/

const engine = (transport: string): string => `/socket.io/?EIO=4&transport=${transport}`
const sidOf = (answer: string): string => OPENED.exec(answer)?.[1] ?? ''
const wrongKey = (namespace: string, index: number): string => `40/${namespace},{"apikey":"wrong-${index}"}`

const openWebSocket: Step = { send: () => `GET ${engine('websocket')} HTTP/1.1\r\n${UPGRADE}\r\n`, until: OPENED }
const openPolling: Step = { send: () => `GET ${engine('polling')} HTTP/1.1\r\n${HOST}\r\n`, until: OPENED }

const joinByWebSocket = (namespace: string, index: number): Step[] => [openWebSocket, { send: () => clientFrame(wrongKey(namespace, index)), until: /4[04]\// }]

function joinByPolling (index: number): Step[] {
  const body = wrongKey(INSTANCE, index)
  let path = ''
  return [
    openPolling,
    {
      send: answer => {
        path = `${engine('polling')}&sid=${sidOf(answer)}`
        return `POST ${path} HTTP/1.1\r\n${HOST}Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`
      },
      until: ANSWERED
    },
    { send: () => `GET ${path} HTTP/1.1\r\n${HOST}\r\n`, until: ANSWERED }
  ]
}

const GARBAGE = [
  `GET ${engine('websocket')} HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 99\r\nSec-WebSocket-Key: x\r\n\r\n`,
  `GET ${engine('nothing')}&EIO=99 HTTP/1.1\r\n${UPGRADE}\r\n`,
  `GET ${engine('websocket')}&sid=nobody HTTP/1.1\r\n${UPGRADE}\r\n`,
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is no HTTP\r\n\r\n'
]

/** What an attempt does. Every number is another one, as a flood's keys and names are. */
function stepsOf (attempt: Attempt, index: number): Step[] {
  switch (attempt) {
    case 'wrong key by websocket': return joinByWebSocket(INSTANCE, index)
    case 'wrong namespace': return joinByWebSocket(`nobody-${index}`, index)
    case 'wrong key by polling': return joinByPolling(index)
    // By polling its session stays behind, until the server finds that nothing comes.
    case 'no CONNECT': return [index % 2 === 0 ? openWebSocket : openPolling]
    case 'garbage upgrade': return [{ send: () => GARBAGE[index % GARBAGE.length] as string, until: /HTTP\/1\.1 4/ }]
  }
}

/** Longer than that no server needs, in ms. */
const PATIENCE = 20_000

/** Does it over a connection of its own, and goes as soon as it knows what became of it. */
export async function tryTo (attempt: Attempt, index: number, port: number): Promise<Outcome> {
  const steps = stepsOf(attempt, index)
  let answer = ''
  let at = 0
  return await new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    const settle = (outcome: Outcome): void => {
      clearTimeout(timer)
      // No port stays taken by what has been.
      socket.resetAndDestroy()
      resolve(outcome)
    }
    const next = (): void => {
      const step = steps[at]
      if (step === undefined) {
        settle(outcomeOf(attempt, answer))
        return
      }
      socket.write(step.send(answer))
      answer = ''
    }
    const timer = setTimeout(() => { settle('unanswered') }, PATIENCE)
    socket.setNoDelay(true)
    socket.once('connect', next)
    socket.on('data', data => {
      answer += data.toString('latin1')
      if (steps[at]?.until.test(answer) !== true) return
      at++
      next()
    })
    // It is closed after that.
    socket.on('error', () => {})
    socket.once('close', () => { settle('ended') })
  })
}

function outcomeOf (attempt: Attempt, answer: string): Outcome {
  if (attempt === 'no CONNECT') return 'abandoned'
  if (/40\//.test(answer)) return 'let in'
  return /44\/|HTTP\/1\.1 4/.test(answer) ? 'refused' : 'ended'
}
