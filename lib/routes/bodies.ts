import type { FastifyReply, FastifyRequest, RequestPayload } from 'fastify'
import { ServerResponse } from 'node:http'
import { Readable, finished } from 'node:stream'
import { errors } from '../errors.js'

/** Limits the total bytes of the request bodies that are being read and handled. */
export class Bodies {
  readonly #max: number
  #held = 0

  /** @param max maximum bytes of all bodies together */
  constructor (max: number) {
    this.#max = max
  }

  /**
   * A hook that runs before the body is read. The bytes of a body are released when its request is over.
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
    // Fastify will refuse a body of this length without reading it.
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

/** Calls `over` once, when the response has been sent or its client has disconnected. */
function whenOver (response: ServerResponse, over: () => void): void {
  // Fast path for an open HTTP/1 response, where one event is enough.
  if (response instanceof ServerResponse && !response.closed && !response.writableEnded) response.once('close', over)
  else finished(response, over)
}

/** Passes a body of unknown length on, and counts its bytes. */
async function * counted (payload: RequestPayload, hold: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of payload as AsyncIterable<Buffer>) {
    hold(chunk.length)
    yield chunk
  }
}
