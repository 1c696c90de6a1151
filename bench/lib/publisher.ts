/** The process that publishes over HTTP, on one connection that stays open. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { EVENT, payloads } from './payload.js'
import { serve } from './rpc.js'

export interface Publishing {
  readonly port: number
  readonly path: string
  readonly events: number
  /** Messages in one request; 1: not as a list. */
  readonly list: number
  readonly bytes: number
  /** Requests that are sent before the first is answered. */
  readonly pipelined: number
}

/** Bodies that differ, made before anything is measured. */
function requests ({ path, list, bytes }: Publishing): Buffer[] {
  const messages = payloads(bytes).map(data => ({ event: EVENT, data }))
  return messages.map((message, at) => {
    const body = JSON.stringify(list === 1 ? message : Array.from({ length: list }, (empty, index) => messages[(at + index) % messages.length]))
    return Buffer.from(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  })
}

const STATUS = /HTTP\/1\.1 (\d{3})/g

/** Counts answers that were accepted, however they are cut. */
async function answersOf (socket: Socket, answered: (count: number) => boolean): Promise<void> {
  let rest = ''
  await new Promise<void>((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      const text = rest + chunk.toString('latin1')
      const found = [...text.matchAll(STATUS)]
      const refused = found.find(([, status = '']) => !status.startsWith('2'))
      if (refused !== undefined) reject(new Error(`a publication was refused: ${text.slice(0, 500)}`))
      const last = found.at(-1)
      // What may be the beginning of another status.
      rest = text.slice(Math.max(last === undefined ? 0 : last.index + last[0].length, text.length - 20))
      if (answered(found.length)) resolve()
    })
    socket.on('error', reject)
    socket.on('close', () => { reject(new Error('the server has ended the connection')) })
  })
}

const api = {
  /** @returns seconds */
  async publish (publishing: Publishing): Promise<number> {
    const { port, events, list, pipelined } = publishing
    const bodies = requests(publishing)
    const count = events / list
    const socket = connect(port, '127.0.0.1').setNoDelay()
    await once(socket, 'connect')
    let [sent, answered] = [0, 0]
    const send = (): void => {
      while (sent < count && sent - answered < pipelined) socket.write(bodies[sent++ % bodies.length] as Buffer)
    }
    const began = performance.now()
    const all = answersOf(socket, found => {
      answered += found
      send()
      return answered === count
    })
    send()
    await all
    const seconds = (performance.now() - began) / 1000
    socket.removeAllListeners('close').destroy()
    return seconds
  }
}

export type PublisherApi = typeof api

serve(api)
