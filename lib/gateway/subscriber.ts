import { type Grant, SILENT } from '../access.js'
import type { Position, Ready } from '../types.js'
import type { Filter } from './filter.js'
import type { Handshake } from './handshake.js'
import type { Link } from './link.js'

/** Whom a namespace serves, as was found out when it asked to come in. */
export interface Admitted {
  /** `null` at the root. */
  readonly instance: string | null
  readonly link: Link
  readonly grant: Grant
  readonly filter: Filter
}

/** A client that is in, however it is connected. There may be very many, so every field counts. */
export abstract class Subscriber {
  readonly instance: string | null
  readonly link: Link
  /** Changed only by who has asked for it again. */
  grant: Grant
  /** Whether it keeps ids to resume from, and so wants to be told where it stands. */
  readonly resumes: boolean
  /** Changed only by who moves it from one group of its channel to the other. */
  filter: Filter

  constructor ({ instance, link, grant, filter }: Admitted, { lastEventId }: Handshake) {
    this.instance = instance
    this.link = link
    this.grant = grant
    this.filter = filter
    this.resumes = lastEventId !== undefined
  }

  /** What it is known by to whoever hears of its end. */
  abstract readonly client: object

  /** What it brought. */
  abstract readonly handshake: Handshake

  /** When it asked to come in. */
  abstract readonly since: Date

  /**
   * What is written to it: `EVENT_STREAM`, or its namespace as the protocol of Socket.IO writes it before a packet's
   * data. Subscribers that have the same here are written the same bytes.
   */
  abstract readonly namespace: string

  /** Tells it where it stands. A listener of the host's may hear of it, and throw. */
  abstract tell (name: 'ws.ready', content: Ready): void
  abstract tell (name: 'ws.position', content: Position): void

  /** Ends it so that a stock client stays away. A listener of the host's may hear of it, and throw. */
  abstract dismiss (): void

  /** `false` for a client that is let in and gets nothing: Evolution's at the root in traditional mode. */
  get listens (): boolean {
    return this.grant !== SILENT
  }
}
