import type { Test } from 'tap'
import { type Transport, transports } from '../../helpers/client.js'
import { RawPolling } from './polling.js'
import { RawWebSocket } from './raw-web-socket.js'
import { ID, messageOf, type Spoken } from './servers.js'

/**
 * `> ` is what the client sends, `< ` what must come next; or something that the server does. `QUESTION` stands for the
 * number by which the server's event `asked` wants to be answered.
 */
export type Script = ReadonlyArray<string | ((server: Spoken) => unknown)>

/** A client on either transport that has read the packet which opens it. */
export async function openClient (port: number, transport: Transport): Promise<RawWebSocket | RawPolling> {
  const client = transport === 'websocket' ? await RawWebSocket.open(port) : await RawPolling.open(port)
  await client.next()
  return client
}

/** A line without what differs each time. */
export const withoutIds = (line: string): string => line.replace(/"sid":"[\w-]{20}"/, '"sid":"SID"').replace(/"id":"[0-9a-z]{19}"/, `"id":"${ID}"`)

/** The line of an event, `prefix` being what comes before its arguments: `42/acme,`. */
export const eventLine = (prefix: string, instance: string, event: string, data: unknown): string =>
  `${prefix}${JSON.stringify([event, messageOf(instance, event, data)])}`

/** What a server answers to a client that is in; `namespace` is given as packets write it: `/acme,`. */
export const connectAck = (namespace = ''): string => `< 40${namespace}{"sid":"SID"}`

/** What `asked` asks an answer for; the number is the server's choice. */
const QUESTION = /\d+(?=\["asked")/

async function hold (server: Spoken, transport: Transport, script: Script): Promise<{ lines: string[], ending: string, reasons: string[] }> {
  const client = await openClient(server.port, transport)
  const lines: string[] = []
  let question = ''
  for (const step of script) {
    if (typeof step === 'function') await step(server)
    else if (step.startsWith('> ')) {
      lines.push(step)
      await client.send(step.slice(2).replace('QUESTION', question))
    } else {
      const said = await client.next().catch((error: Error) => error.message)
      question = QUESTION.exec(said)?.[0] ?? question
      lines.push(`< ${withoutIds(said.replace(QUESTION, 'QUESTION'))}`)
    }
  }
  const unasked = await client.leave()
  lines.push(...unasked.map(line => `< ${withoutIds(line)}`))
  return { lines, ending: client.ending, reasons: await server.reasons() }
}

/**
 * Holds a conversation with each server, over each transport: each must say what the script says, and end the
 * connection as the reference does.
 */
export async function holdAll (t: Test, servers: readonly Spoken[], script: Script): Promise<void> {
  const expected = script.filter(step => typeof step === 'string')
  for (const transport of transports) {
    const held = await Promise.all(servers.map(async server => await hold(server, transport, script)))
    const [reference] = held
    for (const [at, { lines, ...end }] of held.entries()) {
      const where = `${servers[at]?.name}, ${transport}`
      t.strictSame(lines, expected, where)
      t.strictSame(end, { ending: reference?.ending, reasons: reference?.reasons }, `${where}: the end`)
    }
  }
}
