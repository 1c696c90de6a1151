import type { Position, Ready } from '../../types.js'
import type { FrameBatch } from '../batch.js'
import type { Handshake } from '../handshake.js'
import type { Shared } from '../connection.js'
import { type DeliveryWriter, LiveSession, Session, type SessionServices } from '../session.js'
import type { ResponseConnection } from './connection.js'
import { encodeNotice } from '../sse.js'

/** An HTTP client with a stream of server-sent events. */
export class StreamSession extends LiveSession {
  declare readonly connection: ResponseConnection
  readonly handshake: Handshake
  readonly since = new Date()

  constructor (
    services: SessionServices,
    connection: ResponseConnection,
    instance: string | null,
    handshake: Handshake
  ) {
    super(services, connection, instance, handshake)
    this.handshake = handshake
  }

  deliver (batch: FrameBatch, writer: DeliveryWriter): boolean {
    const { connection } = this
    if (writer.endIfSlow(connection, connection.queuedBytes, connection.transport.queuedIn(writer.tick))) return false
    connection.write(batch.eventStream)
    return true
  }

  override get shared (): Shared | null {
    const { subscription, filter } = this
    return this.isReceiving && subscription !== null ? { stream: subscription, filter: filter.key } : null
  }

  /** With the id, so that a client that is cut off before the first event comes back with one. */
  notify (name: 'ws.ready' | 'ws.position', content: Ready | Position): void {
    if (!this.connection.ended) this.connection.write(encodeNotice(name, content))
  }

  /** An HTTP client cannot be told to stay away. It is checked again when it comes back. */
  protected disconnect (): void {
    void this.connection.finish()
  }
}

/** An HTTP client that reads a page of history. */
export class PageSession extends Session {
  readonly handshake: Handshake

  constructor (
    services: SessionServices,
    connection: ResponseConnection,
    instance: string | null,
    handshake: Handshake
  ) {
    super(services, connection, instance, handshake)
    this.handshake = handshake
  }
}
