/** The process of clients that ask for much and read nothing, told what to do by sections/greed.ts. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { WebSocket } from 'ws'
import { KEY } from './greed-key.js'
import { serve } from './rpc.js'

const open: Array<{ readonly end: () => void }> = []

interface Target {
  readonly port: number
  readonly connections: number
}

/** A TCP socket that sends and reads nothing. */
async function unread (port: number, text: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').pause()
  // The server ends some of them.
  socket.on('error', () => {})
  open.push({ end: () => { socket.destroy() } })
  await once(socket, 'connect')
  socket.write(text)
  return socket
}

const getOf = (path: string, accept: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\napikey: ${KEY}\r\nAccept: ${accept}\r\n\r\n`

async function answerOf (socket: WebSocket, sent: string): Promise<string> {
  const answered = once(socket, 'message') as Promise<[Buffer]>
  socket.send(sent)
  const [answer] = await answered
  return answer.toString()
}

/** A WebSocket, in no namespace yet. */
async function webSocket (port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`)
  socket.on('error', () => {})
  open.push({ end: () => { socket.terminate() } })
  await once(socket, 'message')
  return socket
}

/** The instance of a connection, of so many. */
const instanceOf = (at: number, instances: readonly string[]): string => instances[at % instances.length] ?? ''

const api = {
  /** Requests for pages or streams, sent at once on each connection. */
  async http ({ port, connections, requests, path, accept }: Target & { readonly requests: number, readonly path: string, readonly accept: string }): Promise<void> {
    for (let at = 0; at < connections; at++) await unread(port, getOf(path.replace('INSTANCE', `instance-${at}`), accept).repeat(requests))
  },
  /** WebSocket clients that join and then read nothing. */
  async sockets ({ port, connections, instances, auth }: Target & { readonly instances: readonly string[], readonly auth: object }): Promise<void> {
    for (let at = 0; at < connections; at++) {
      const socket = await webSocket(port)
      await answerOf(socket, `40${instanceOf(at, instances)},${JSON.stringify({ apikey: KEY, ...auth })}`)
      socket.pause()
    }
  },
  /** Clients that poll once and do not read the answer. */
  async polls ({ port, connections, instances }: Target & { readonly instances: readonly string[] }): Promise<void> {
    for (let at = 0; at < connections; at++) {
      const url = `http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`
      const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1)) as { sid: string }
      await (await fetch(`${url}&sid=${sid}`, { method: 'POST', body: `40${instanceOf(at, instances)},${JSON.stringify({ apikey: KEY })}` })).text()
      await (await fetch(`${url}&sid=${sid}`)).text()
      await unread(port, getOf(`/socket.io/?EIO=4&transport=polling&sid=${sid}`, '*/*'))
    }
  },
  /** Clients that send one text again and again, and read no answer. */
  async send ({ port, connections, join, text, times }: Target & { readonly join: string | null, readonly text: string, readonly times: number }): Promise<void> {
    for (let at = 0; at < connections; at++) {
      const socket = await webSocket(port)
      if (join !== null) await answerOf(socket, `40${join},${JSON.stringify({ apikey: KEY })}`)
      socket.pause()
      for (let time = 0; time < times; time++) socket.send(text.replace('NUMBER', String(time)))
    }
  },
  /** Clients in as many namespaces as a connection may be in. */
  async namespaces ({ port, connections, each }: Target & { readonly each: number }): Promise<void> {
    for (let at = 0; at < connections; at++) {
      const socket = await webSocket(port)
      for (let number = 0; number < each; number++) await answerOf(socket, `40/of-${at}-${number},${JSON.stringify({ apikey: KEY })}`)
    }
  },
  end (_: null): void {
    for (const { end } of open.splice(0)) end()
  }
}

export type GreedClientApi = typeof api

serve(api)
