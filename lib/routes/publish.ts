import type { FastifyInstance, FastifyRequest } from 'fastify'
import { hash } from 'node:crypto'
import type { Intake, PublishedMessage } from '../intake/index.js'
import { instanceName } from '../instances/names.js'
import type { PublishRate } from '../limits/publish-rate.js'
import { retryAfterHook } from '../limits/retry-after.js'
import type { Bodies } from './bodies.js'
import { authorizePublisher, type Guard, type Publisher } from './caller.js'
import type { RouteParts } from './instance.js'
import { documented } from './openapi.js'
import type { RefusedPublishers } from './refused-publishers.js'
import { compilers, eitherForm } from './validation.js'

/** What the routes are made with by which somebody publishes. */
export interface PublishParts extends Pick<RouteParts, 'prefix' | 'guard' | 'schemas' | 'logSerializers'> {
  readonly intake: Intake
  readonly rate: PublishRate
  readonly refusals: RefusedPublishers
  readonly bodies: Bodies
  /** In bytes; `null`: the route's own default. */
  readonly bodyLimit: number | null
}

/** Largest body of messages, in bytes, where the option says nothing. */
const BODY_LIMIT = 16 * 1024 * 1024

interface Params { name: string }
interface Headers { 'idempotency-key'?: string }

/** `POST /instance/:name/events`: one message, or a list of them. */
export async function addPublishRoute (fastify: FastifyInstance, parts: PublishParts): Promise<void> {
  const { prefix, schemas, logSerializers, intake, bodies, bodyLimit } = parts
  const publishers = new Publishers(parts)
  // A context of its own, for a parser of its own: what a host has set for JSON may drop the body's bytes.
  await fastify.register(async context => {
    const hashes = readJson(context)
    context.route<{ Params: Params, Headers: Headers, Body: PublishedMessage | PublishedMessage[] }>({
      method: 'POST',
      url: `${prefix}/instance/:name/events`,
      schema: schemas.publish,
      config: documented,
      logSerializers,
      bodyLimit: bodyLimit ?? BODY_LIMIT,
      onRequest: async request => {
        await publishers.admit(request, instanceName(request.params.name))
      },
      preParsing: bodies.hook,
      onError: retryAfterHook,
      ...compilers,
      validatorCompiler: oneOrMany,
      handler: async (request, reply) => {
        const { params: { name }, body } = request
        const key = request.headers['idempotency-key']
        const messages = Array.isArray(body) ? body : [body]
        publishers.count(request, messages.length)
        const requestKey = key === undefined ? null : { key, fingerprint: hashes.of(request) }
        const results = await intake.publish(name, messages, requestKey)
        return await reply.send(Array.isArray(body) ? results : results[0])
      }
    })
  })
}

/** Lets publishers in and counts what they publish. */
export class Publishers {
  readonly #guard: Guard
  readonly #rate: PublishRate
  readonly #refusals: RefusedPublishers
  // Map(request -> who it is from)
  readonly #admitted = new WeakMap<FastifyRequest, Publisher>()

  constructor ({ guard, rate, refusals }: Pick<PublishParts, 'guard' | 'rate' | 'refusals'>) {
    this.#guard = guard
    this.#rate = rate
    this.#refusals = refusals
  }

  /**
   * Checks a request before its body is read.
   *
   * @param instance that it is for; `null`: its body tells
   * @throws LIMIT_REACHED, UNAUTHORIZED, FORBIDDEN, VERIFY_FAILED, CLOSED
   */
  async admit (request: FastifyRequest, instance: string | null): Promise<void> {
    const publisher = await this.#authorize(request, instance)
    try {
      this.#rate.take(publisher.key)
    } catch (error) {
      this.#guard.limited.countIn(error)
      throw error
    }
    this.#admitted.set(request, publisher)
  }

  async #authorize (request: FastifyRequest, instance: string | null): Promise<Publisher> {
    try {
      return await authorizePublisher(this.#guard, request.raw, instance)
    } catch (error) {
      this.refused(error, request, instance)
      throw error
    }
  }

  /** Logs that a request was refused, if that is for its key. */
  refused (error: unknown, request: FastifyRequest, instance: string | null): void {
    const { headers, socket } = request.raw
    this.#refusals.add(error, request, instance, this.#guard.access.peer(headers, socket.remoteAddress).address)
  }

  /** Counts the events of a request that was let in. */
  count (request: FastifyRequest, events: number): void {
    const publisher = this.#admitted.get(request)
    if (publisher !== undefined) this.#rate.add(publisher.key, events - 1)
  }

  /** The instances that a request may publish for, once it was let in; `null`: all. */
  instancesOf (request: FastifyRequest): ReadonlySet<string> | null {
    return this.#admitted.get(request)?.grant.instances ?? null
  }
}

/** The bytes of bodies, by what they are compared with. */
export class BodyHashes {
  // Map(request -> the SHA-256 of its body)
  readonly #hashes = new WeakMap<FastifyRequest, string>()

  add (request: FastifyRequest, body: Buffer): void {
    this.#hashes.set(request, hash('sha256', body, 'base64'))
  }

  of (request: FastifyRequest): string {
    return this.#hashes.get(request) ?? ''
  }
}

/**
 * Has the routes of a context take JSON and nothing else.
 *
 * @param always whether the bytes of each body are hashed; else those of requests with an `Idempotency-Key`
 */
export function readJson (context: FastifyInstance, always = false): BodyHashes {
  const hashes = new BodyHashes()
  // What JSON calls `__proto__` is a property like any other here.
  const parse = context.getDefaultJsonParser('ignore', 'ignore')
  context.removeAllContentTypeParsers()
  context.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (always || request.headers['idempotency-key'] !== undefined) hashes.add(request, body as Buffer)
    void parse(request, body.toString(), done)
  })
  return hashes
}

const oneOrMany = eitherForm(body => !Array.isArray(body))
