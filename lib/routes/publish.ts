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

/** What the routes for publishing need to run. */
export interface PublishParts extends Pick<RouteParts, 'prefix' | 'guard' | 'schemas' | 'logSerializers'> {
  readonly intake: Intake
  readonly rate: PublishRate
  readonly refusals: RefusedPublishers
  readonly bodies: Bodies
  /** Maximum body in bytes; `null`: the route's own default. */
  readonly bodyLimit: number | null
}

/** Default of the maximum body for messages, in bytes. */
const BODY_LIMIT = 16 * 1024 * 1024

interface Params { name: string }
interface Headers { 'idempotency-key'?: string }

/** Adds `POST /instance/:name/events`, which takes one message or a list of messages. */
export async function addPublishRoute (fastify: FastifyInstance, parts: PublishParts): Promise<void> {
  const { prefix, schemas, logSerializers, intake, bodies, bodyLimit } = parts
  const publishers = new Publishers(parts)
  // A Fastify context of its own, with its own parser: the application's JSON parser may not keep the body's bytes.
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

/** Checks publishers, and counts what they publish. */
export class Publishers {
  readonly #guard: Guard
  readonly #rate: PublishRate
  readonly #refusals: RefusedPublishers
  // Map(request -> its publisher)
  readonly #admitted = new WeakMap<FastifyRequest, Publisher>()

  constructor ({ guard, rate, refusals }: Pick<PublishParts, 'guard' | 'rate' | 'refusals'>) {
    this.#guard = guard
    this.#rate = rate
    this.#refusals = refusals
  }

  /**
   * Checks a request before its body is read.
   *
   * @param instance the instance to publish for; `null`: the body has its name
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

  /** Logs a refused request if the key is the reason. */
  refused (error: unknown, request: FastifyRequest, instance: string | null): void {
    const { headers, socket } = request.raw
    this.#refusals.add(error, request, instance, this.#guard.access.peer(headers, socket.remoteAddress).address)
  }

  /** Counts the events of an admitted request. */
  count (request: FastifyRequest, events: number): void {
    const publisher = this.#admitted.get(request)
    if (publisher !== undefined) this.#rate.add(publisher.key, events - 1)
  }

  /** The instances that an admitted request may publish for; `null`: all. */
  instancesOf (request: FastifyRequest): ReadonlySet<string> | null {
    return this.#admitted.get(request)?.grant.instances ?? null
  }
}

/** Hashes of request bodies, by which repeated requests are recognized. */
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
 * Makes the routes of a context accept only JSON.
 *
 * @param always whether every body is hashed; otherwise only those of requests with an `Idempotency-Key`
 */
export function readJson (context: FastifyInstance, always = false): BodyHashes {
  const hashes = new BodyHashes()
  // `ignore`: properties named `__proto__` and `constructor` are ordinary data here.
  const parse = context.getDefaultJsonParser('ignore', 'ignore')
  context.removeAllContentTypeParsers()
  context.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (always || request.headers['idempotency-key'] !== undefined) hashes.add(request, body as Buffer)
    void parse(request, body.toString(), done)
  })
  return hashes
}

const oneOrMany = eitherForm(body => !Array.isArray(body))
