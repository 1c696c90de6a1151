import type { Position, Ready } from '../../types.js'
import type { FrameBatch } from '../batch.js'
import type { Handshake } from '../handshake.js'
import type { Shared } from '../connection.js'
import { type DeliveryWriter, LiveSession, Session, type SessionServices } from '../session.js'
import type { ResponseConnection } from './connection.js'
import { encodeNotice } from '../sse.js'

/** A session of an HTTP client with a stream of server-sent events. */
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

  /** Sent with the id, so that a client that is disconnected before its first event has one to resume from. */
  notify (name: 'ws.ready' | 'ws.position', content: Ready | Position): void {
    if (!this.connection.ended) this.connection.write(encodeNotice(name, content))
  }

  /** HTTP has no way to stop a client from reconnecting. Its key and its instance are checked again then. */
  protected disconnect (): void {
    void this.connection.finish()
  }
}

/** A session of an HTTP client that reads a page of history. */
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
