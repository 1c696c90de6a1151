import type { FastifyReply, FastifyRequest, RequestPayload } from 'fastify'
import { ServerResponse } from 'node:http'
import { Readable, finished } from 'node:stream'
import { errors } from '../errors.js'

/** Holds the bodies of requests that are being read and handled within one bound of bytes. */
export class Bodies {
  readonly #max: number
  #held = 0

  /** @param max bytes of all bodies together */
  constructor (max: number) {
    this.#max = max
  }

  /**
   * A hook before the body is read. What a body takes is given back when its request is over.
   *
   * @throws PENDING_FULL
   */
  readonly hook = async (
    request: FastifyRequest,
    reply: FastifyReply,
    payload: RequestPayload
  ): Promise<RequestPayload> => {
    let own = 0
    const hold = (bytes: number): void => {
      if (this.#held + bytes > this.#max) throw this.#full()
      own += bytes
      this.#held += bytes
    }
    const length = request.headers['content-length']
    // Fastify refuses it for its length, without reading it.
    if (Number(length) > request.routeOptions.bodyLimit) return payload
    if (length !== undefined) hold(Number(length))
    whenOver(reply.raw, () => { this.#held -= own })
    return length === undefined ? Readable.from(counted(payload, hold), { objectMode: false }) : payload
  }

  #full (): Error {
    return Object.assign(new errors.PENDING_FULL(), {
      message: `the bodies of requests that are being read have ${this.#max} bytes already: send it again later`
    })
  }
}

/** Calls once when a response has been written, or its client has gone. */
function whenOver (response: ServerResponse, over: () => void): void {
  // Of HTTP/1, and not gone yet: one event tells, at a fraction of the cost.
  if (response instanceof ServerResponse && !response.closed && !response.writableEnded) response.once('close', over)
  else finished(response, over)
}

/** A body that does not say how long it is. */
async function * counted (payload: RequestPayload, hold: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of payload as AsyncIterable<Buffer>) {
    hold(chunk.length)
    yield chunk
  }
}
