/**
 * The way of a byte to a client's socket.
 *
 * Most of what Socket.IO's broadcast costs are system calls and bookkeeping for each client and event. So the frames
 * of one turn of the event loop are written at once, and straight to the TCP socket under the WebSocket. That is safe
 * while nothing of Engine.IO's or ws' own waits before them: both write whole frames only, so frames of ours and of
 * others follow each other and never interleave. Measured with 500 clients and 0.3 kB events: see docs/performance.md.
 *
 * All that this needs of Engine.IO and ws beyond their public interfaces is in this file, and tested for. Whatever is
 * not as expected (polling, an upgrade under way, compression, another WebSocket engine, another version) takes
 * Engine.IO's own way, in order.
 */
import type { FrameBatch } from '../batch.js'
import { Socket as TcpSocket } from 'node:net'
import { ServerResponse } from 'node:http'
import { takenBytes as takenOf } from '../kernel.js'
import type { EngineConnection } from './engine.js'

/** The TCP socket under a WebSocket. */
export interface DirectSocket {
  readonly writable: boolean
  readonly writableLength: number
  write(data: Buffer): boolean
  once(event: 'drain', listener: () => void): unknown
  off(event: 'drain', listener: () => void): unknown
}

/** A WebSocket that can be written to directly. */
export interface FastSocket {
  readonly webSocket: { readonly readyState: number }
  readonly sender: { readonly _state: number, readonly _bufferedBytes: number }
  readonly stream: DirectSocket
}

/** How a connection can be written to while it has this transport. */
export interface Way {
  readonly transport: unknown
  readonly fast: FastSocket | undefined
}

/** What is written to: an Engine.IO connection, and how it can be. */
export interface Wired {
  readonly engine: EngineConnection
  /** As found at the last write; `undefined` before the first. */
  way: Way | undefined
}

interface EngineInternals {
  readonly readyState: string
  readonly writeBuffer?: ReadonlyArray<{ readonly data?: string | ArrayBufferView }>
  readonly transport?: EngineTransport
}

interface EngineTransport {
  readonly name?: string
  readonly protocol?: number
  readonly supportsBinary?: boolean
  readonly perMessageDeflate?: unknown
  // Of polling: the request that waits for packets, and its response.
  readonly req?: unknown
  readonly res?: unknown
  on?(event: 'headers', listener: (headers: unknown, request: unknown) => void): void
  readonly socket?: {
    readonly readyState?: unknown
    readonly extensions?: unknown
    readonly bufferedAmount?: unknown
    readonly _isServer?: unknown
    readonly _sender?: {
      readonly _state?: unknown
      readonly _queue?: unknown
      readonly _bufferedBytes?: unknown
      readonly sendFrame?: unknown
    }
    readonly _socket?: { readonly writable?: unknown, readonly writableLength?: unknown, readonly write?: unknown }
  }
}

const OPEN = 1
/** ws' sender is neither compressing nor reading a Blob, so that nothing waits in its own queue. */
const IDLE = 0

const inside = (engine: EngineConnection): EngineInternals => engine as unknown as EngineInternals

/** What can be written to directly under a transport, if all is as expected. */
function fastSocketOf (transport: EngineTransport | undefined): FastSocket | undefined {
  const { name, protocol, supportsBinary, perMessageDeflate, socket: webSocket } = transport ?? {}
  if (name !== 'websocket' || protocol !== 4 || supportsBinary !== true || Boolean(perMessageDeflate)) return
  const { _sender: sender, _socket: stream } = webSocket ?? {}
  const expected = webSocket?.readyState === OPEN && webSocket.extensions === '' && webSocket._isServer === true &&
    sender?._state === IDLE && Array.isArray(sender._queue) &&
    typeof sender._bufferedBytes === 'number' && typeof sender.sendFrame === 'function' &&
    typeof stream?.write === 'function' &&
    typeof stream.writable === 'boolean' && typeof stream.writableLength === 'number'
  return expected ? { webSocket, sender, stream } as unknown as FastSocket : undefined
}

/** The TCP socket of a connection, if it can be written to directly at this moment. */
export function directSocket (connection: Wired): DirectSocket | undefined {
  const { readyState, writeBuffer, transport } = inside(connection.engine)
  let { way } = connection
  if (way === undefined || way.transport !== transport) {
    way = { transport, fast: fastSocketOf(transport) }
    connection.way = way
  }
  const { fast } = way
  // Packets that Engine.IO holds come first.
  if (fast === undefined || readyState !== 'open' || writeBuffer?.length !== 0) return
  if (fast.webSocket.readyState !== OPEN || fast.sender._state !== IDLE || !fast.stream.writable) return
  return fast.stream
}

/**
 * Why a WebSocket cannot be written to directly, for the log: something that holds for other clients as well.
 * `undefined` for what is the client's own (polling, Engine.IO 3), what passes, and where it can be.
 */
export function whyNotDirect ({ engine, way }: Wired): string | undefined {
  const { name, protocol, perMessageDeflate, socket: webSocket } = inside(engine).transport ?? {}
  if (
    way === undefined || way.fast !== undefined ||
    name !== 'websocket' || protocol !== 4 || webSocket?.readyState !== OPEN
  ) return
  const isCompressed = typeof webSocket.extensions === 'string' && webSocket.extensions !== ''
  if (Boolean(perMessageDeflate) || isCompressed) return 'WebSocket compression (perMessageDeflate) is on'
  if (process.versions.bun !== undefined) return `Bun ${process.versions.bun} has a WebSocket server of its own`
  return 'the WebSocket engine is not ws 8, or not as it is known'
}

/**
 * Writes events by Engine.IO's own way.
 *
 * @param namespace as the protocol writes it before a packet's data
 * @param withId whether each has its id as a second argument
 */
export function writeByEngine ({ engine }: Wired, namespace: string, batch: FrameBatch, withId = false): void {
  for (const packet of batch.packets) {
    engine.write(packet.textFor(namespace, withId))
    for (const attachment of packet.attachments) engine.write(attachment)
  }
}

/** Bytes that wait for a connection, in all buffers between us and the kernel. Fallback: those of Engine.IO. */
export function queuedBytes ({ engine }: Wired): number {
  const { writeBuffer, transport } = inside(engine)
  const held = (writeBuffer ?? []).reduce((sum, { data }) => sum + sizeOf(data), 0)
  const { bufferedAmount } = transport?.socket ?? {}
  return held + (typeof bufferedAmount === 'number' ? bufferedAmount : 0)
}

/**
 * Notes the responses that polls are answered with. Engine.IO forgets each when it is written, and a client may read
 * none of them and poll again by another TCP socket. Fallback: what waits in them is not counted.
 *
 * @param answered called with each before it is written
 */
export function followPolls (engine: EngineConnection, answered: (response: ServerResponse) => void): void {
  const { transport } = inside(engine)
  if (transport?.name !== 'polling' || typeof transport.on !== 'function') return
  transport.on('headers', (_headers, request) => {
    const { req, res } = transport
    if (req === request && res instanceof ServerResponse) answered(res)
  })
}

/** Bytes that the kernel has taken of what was written to a WebSocket; `undefined` for polling. */
export function takenBytes ({ engine }: Wired): number | undefined {
  const stream = inside(engine).transport?.socket?._socket
  return stream instanceof TcpSocket ? takenOf(stream) : undefined
}

function sizeOf (data: string | ArrayBufferView | undefined): number {
  return typeof data === 'string' ? data.length : data?.byteLength ?? 0
}

/** To look again, in ms, where no event tells that something has gone out. */
const LOOK_AGAIN = 100

// Map(connection -> resolves when something has gone out)
const draining = new WeakMap<Wired, Promise<void>>()

/** Resolves when something that waits for a client has gone out, when its connection has ended, or after a moment. */
export async function drained (connection: Wired): Promise<void> {
  // One for all who wait, because a client may be in many namespaces.
  const known = draining.get(connection)
  if (known !== undefined) {
    await known
    return
  }
  const drain = nextDrain(connection)
  draining.set(connection, drain)
  await drain
  draining.delete(connection)
}

async function nextDrain (connection: Wired): Promise<void> {
  const { engine } = connection
  const stream = directSocket(connection)
  await new Promise<void>(resolve => {
    const settle = () => {
      clearTimeout(timer)
      stream?.off('drain', settle)
      for (const event of ['drain', 'close']) engine.off(event, settle)
      resolve()
    }
    const timer = setTimeout(settle, LOOK_AGAIN)
    stream?.once('drain', settle)
    for (const event of ['drain', 'close']) engine.once(event, settle)
  })
}
