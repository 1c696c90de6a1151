import type { Position, Ready } from '../../types.js'
import type { Handshake } from '../handshake.js'
import { type Admitted, Subscriber } from '../subscriber.js'
import { encodeNotice } from './encoding.js'
import type { StreamLink } from './stream-link.js'

/** In place of a namespace: an HTTP client gets a stream of server-sent events. No namespace is written like this. */
export const EVENT_STREAM = 'text/event-stream'

/** An HTTP client with a stream of server-sent events. */
export class StreamSubscriber extends Subscriber {
  declare readonly link: StreamLink
  readonly handshake: Handshake
  readonly since = new Date()

  constructor (admitted: Admitted & { readonly link: StreamLink }, handshake: Handshake) {
    super(admitted, handshake)
    this.handshake = handshake
  }

  get client (): StreamLink {
    return this.link
  }

  get namespace (): string {
    return EVENT_STREAM
  }

  /** With the id, so that a client that is cut off before the first event comes back with one. */
  tell (name: 'ws.ready' | 'ws.position', content: Ready | Position): void {
    if (!this.link.ended) this.link.write(encodeNotice(name, content))
  }

  /** No word keeps an HTTP client away. One that comes back is checked as if it came for the first time. */
  dismiss (): void {
    void this.link.finish()
  }
}
