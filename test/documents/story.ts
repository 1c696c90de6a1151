import type { FastifyInstance } from 'fastify'
import { once } from 'node:events'
import type { ManagerOptions, Socket, SocketOptions } from 'socket.io-client'
import type { Test } from 'tap'
import type { Message } from '../../lib/index.js'
import type { Block } from '../helpers/documents.js'
import { type ClientOptions, connect } from '../helpers/client.js'
import { compilerSays } from './types.js'
import { checks } from './shell.js'

type Run = (t: Test, block: Block) => unknown

/** What runs a block: a test of another file, by its path, or what is to be done here. */
export type Story = string | { readonly skip: string | false, readonly run: Run }

/** A block that this test runs, if what it needs is there. */
export const runs = (run: Run, skip: string | false = false): Story => ({ skip, run })

/** The stories of a document: one for each block under a heading, in their order. */
export type Stories = Readonly<Record<string, readonly Story[]>>

/** For commands that take minutes or the registry: that there is what they ask for. */
export const commands = runs((t, { code }) => { checks(t, code) })

/** For TypeScript that says types and does nothing: it compiles, and so does what comes after it. */
export const compiles = (after = ''): Story => runs((t, { code }) => { t.strictSame(compilerSays(`import type {} from 'fastify-ws-events'\n${code}${after}`), []) })

/** Socket.IO's `io`, whose clients are closed with the test and have a connection each. */
export function ioOf (t: Test, opened: Socket[] = []): (url: string, options?: Partial<ManagerOptions & SocketOptions>) => Socket {
  return (url, options: ClientOptions = {}) => {
    const socket = connect(t, url, options)
    opened.push(socket)
    return socket
  }
}

/** A program of a block, with Socket.IO's `io` of the test, at another address than the one that it names. */
export const at = (url: string, code: string): string =>
  code.replace(/^import \{ io \} from 'socket.io-client'\n/m, '').replaceAll(/https?:\/\/(?:api\.example\.com|localhost:8080)/g, url)

/** Resolves to the next message of an event. */
export async function next (socket: Socket, event: string): Promise<Message> {
  const [message] = await once(socket as unknown as NodeJS.EventEmitter, event) as [Message]
  return message
}

/** Closes a server that a block has made. */
export function closing (t: Test, fastify: unknown): FastifyInstance {
  const server = fastify as FastifyInstance
  t.teardown(async () => { await server.close() })
  return server
}
