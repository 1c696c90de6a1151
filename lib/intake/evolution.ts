import type { FastifyBaseLogger } from 'fastify'
import type { Configs } from '../instances/configs.js'
import type { Emitter, Once, OnceOutcome, Publication } from './emitter.js'
import { errors } from '../errors.js'
import type { Catalogue, EventType } from '../events/catalogue.js'
import type { KeyTable } from '../log/event-log.js'
import { excerpt, instanceName } from '../instances/names.js'
import type { EmitResult, WebhookSkip } from '../types.js'
import type { IntakeCounters } from './counters.js'
import { tableFull } from './index.js'
import { clockOf, instantOf } from './local-time.js'

/** A webhook of Evolution. Keys that are not listed here become part of the message. */
export interface EvolutionWebhook {
  readonly event: string
  readonly instance: string
  readonly data?: unknown
  readonly destination?: unknown
  /** Local time, although it ends with `Z`. */
  readonly date_time?: string | undefined
  readonly sender?: string | null | undefined
  readonly server_url?: string | null | undefined
  readonly apikey?: unknown
}

/** The result of a webhook: that of `emit`, or the reason why no event was emitted. */
export type WebhookResult = EmitResult | { readonly skipped: WebhookSkip }

/**
 * Idempotency keys of webhooks, which are hashes of their bodies. Evolution repeats a webhook for up to 33 minutes. The
 * table is large enough for an hour with 277 webhooks a second.
 */
const BODIES: KeyTable = { name: 'evolution', maxKeys: 1_000_000, maxAge: 3_600_000 }

/** Events after which an instance no longer exists. */
const ENDS: ReadonlySet<string> = new Set(['instance.delete', 'remove.instance'])
/** Stored with a webhook after its instance was removed. */
const REMOVED = 'removed'

interface Parts {
  readonly emitter: Emitter
  readonly catalogue: Catalogue
  readonly configs: Pick<Configs, 'remove'>
  /** The time zone of Evolution's times; `null`: they are not converted. */
  readonly timeZone: string | null
  readonly counters: IntakeCounters
  readonly logger: FastifyBaseLogger
}

/** Emits Evolution's webhooks as events. Webhooks with the same body within an hour are emitted once. */
export class EvolutionIntake {
  readonly #parts: Parts
  readonly #clock: Intl.DateTimeFormat | null

  constructor (parts: Parts) {
    this.#parts = parts
    this.#clock = parts.timeZone === null ? null : clockOf(parts.timeZone)
  }

  /**
   * Emits a webhook as an event.
   *
   * @param bodyHash hash of the request's bytes
   * @throws INVALID_DATA, NOT_SERIALIZABLE, MESSAGE_TOO_LARGE for a webhook that can never be emitted; LIMIT_REACHED,
   *   STORE_UNAVAILABLE, PENDING_FULL, CLOSED for one that can be emitted later
   */
  async take (webhook: EvolutionWebhook, bodyHash: string): Promise<WebhookResult> {
    const event = this.#parts.catalogue.find(webhook.event)
    if (event === undefined) return this.#skip('unknown-event', 'event', webhook.event)
    const name = nameOf(webhook.instance)
    if (name === undefined) return this.#skip('invalid-name', 'instance', webhook.instance)
    const publication = this.#publicationOf(webhook)
    const once: Once = {
      table: BODIES,
      key: bodyHash,
      fingerprint: '',
      fence: { key: fenceOf(name), after: publication.options.dateTime }
    }
    const done = await this.#emit(once, publication)
    if (done.outcome === 'fenced') return this.#skip('removed', 'instance', name)
    if (!('results' in done)) throw tableFull(BODIES)
    if (done.outcome === 'repeated') this.#parts.counters.repeated()
    else this.#parts.counters.accepted(1)
    await this.#removeAfter(event, name, once, done)
    const [result] = done.results
    if (result === undefined) throw new errors.STORE_UNAVAILABLE('the result of a webhook is missing')
    return result
  }

  async #emit (once: Once, publication: Publication): Promise<OnceOutcome> {
    const { emitter } = this.#parts
    const held = emitter.prepare(publication)
    if (emitter.keepsKeys) return await emitter.sendOnce(once, [held])
    return { outcome: 'appended', results: [await emitter.send(held)], note: '' }
  }

  /**
   * Removes an instance after its `instance.delete`. A fence is stored first, which rejects older webhooks that arrive
   * later. After the removal a note is stored with the webhook, so that a repetition does not remove a new instance
   * with the same name.
   */
  async #removeAfter (
    event: EventType,
    name: string,
    { fence, ...once }: Once,
    { results, note }: Extract<OnceOutcome, { readonly results: unknown }>
  ): Promise<void> {
    const { emitter, configs } = this.#parts
    if (!ENDS.has(event.name) || note === REMOVED) return
    if (!emitter.keepsKeys || fence === undefined) {
      await configs.remove(name)
      return
    }
    const raised = await emitter.note({ table: BODIES, key: fence.key, fingerprint: '', fence }, [], fence.after)
    if (raised.outcome === 'full') throw tableFull(BODIES)
    await configs.remove(name)
    await emitter.note(once, results, REMOVED)
  }

  #publicationOf (webhook: EvolutionWebhook): Publication & { readonly options: { readonly dateTime: string } } {
    const {
      event,
      instance,
      data,
      date_time: time,
      sender,
      server_url: serverUrl,
      apikey: _,
      destination: __,
      ...extra
    } = webhook
    const options = { sender, extra, dateTime: this.#instantOf(time) }
    return { instance, event, data, options, ...serverUrl !== null && { serverUrl } }
  }

  /** @throws INVALID_DATA */
  #instantOf (time: string | undefined): string {
    const wall = time === undefined ? Date.now() : Date.parse(time)
    if (Number.isNaN(wall)) throw new errors.INVALID_DATA('body/date_time must be an ISO 8601 text')
    const instant = this.#clock === null || time === undefined ? wall : instantOf(this.#clock, wall)
    return new Date(instant).toISOString()
  }

  #skip (skipped: WebhookSkip, what: 'event' | 'instance', name: string): { readonly skipped: WebhookSkip } {
    const { counters, logger } = this.#parts
    if (counters.skipped(skipped, name)) logger.warn({ skipped, [what]: excerpt(name) }, WHY[skipped])
    return { skipped }
  }
}

const WHY: Record<WebhookSkip, string> = {
  'unknown-event': 'webhooks with an event that the option events does not have are skipped',
  'invalid-name': 'webhooks of an instance whose name cannot be served are skipped',
  removed: 'webhooks from before the removal of their instance are skipped'
}

/** The key of an instance's fence. It cannot be the hash of a body, which has no colon. */
const fenceOf = (name: string): string => `removed:${name}`

/** The normalized name of an instance; `undefined` if the name is invalid. */
function nameOf (instance: string): string | undefined {
  try {
    return instanceName(instance)
  } catch {
    return undefined
  }
}
