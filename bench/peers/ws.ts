import { WebSocket, WebSocketServer } from 'ws'
import { inTurn, namesOf } from '../lib/instances.js'
import { envelope, EVENT, INSTANCE } from '../lib/payload.js'
import { listen, makeFastify } from './http.js'
import type { Peer, PeerOptions } from './peer.js'

/** Not public; Socket.IO writes its frames by it too. */
interface WithSender {
  readonly _sender: { sendFrame (parts: Buffer[]): void }
}

/**
 * A loop over all sockets for each event, as in the documentation of ws, with one thing better: the frame is put
 * together once, in one buffer, and not for each client. So this is the least that one write per client and event
 * can cost with ws.
 */
export async function startWs ({ instances }: PeerOptions): Promise<Peer> {
  return instances === undefined ? await startLoop() : await startOneEach(instances)
}

async function startLoop (): Promise<Peer> {
  const fastify = makeFastify()
  const { clients } = new WebSocketServer({ server: fastify.server, perMessageDeflate: false })
  const port = await listen(fastify)
  return {
    port,
    emit: data => {
      const ready = [frame(`42/${INSTANCE},${JSON.stringify([EVENT, envelope(data)])}`)]
      for (const client of clients) {
        if (client.readyState === WebSocket.OPEN) (client as unknown as WithSender)._sender.sendFrame(ready)
      }
    },
    connections: () => clients.size
  }
}

/** The same where each instance has one client: a map of sockets, and `send` as the documentation shows it. */
async function startOneEach (instances: number): Promise<Peer> {
  const fastify = makeFastify()
  const server = new WebSocketServer({ server: fastify.server, perMessageDeflate: false })
  const names = namesOf(instances)
  const sockets = new Map<string, WebSocket>()
  server.on('connection', socket => { sockets.set(names[sockets.size] as string, socket) })
  const next = inTurn(names)
  const port = await listen(fastify)
  return {
    port,
    emit: data => {
      const name = next()
      sockets.get(name)?.send(`42/${name},${JSON.stringify([EVENT, envelope(data, name)])}`)
    },
    connections: () => sockets.size
  }
}

function frame (text: string): Buffer {
  const length = Buffer.byteLength(text)
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const made = Buffer.allocUnsafe(header + length)
  made[0] = 0x81
  made[1] = header === 2 ? length : header === 4 ? 126 : 127
  if (header === 4) made.writeUInt16BE(length, 2)
  if (header === 10) made.writeBigUInt64BE(BigInt(length), 2)
  made.write(text, header)
  return made
}
