import { EventEmitter } from 'node:events'
import type { EventLog, LogEntry, StreamName, Watch } from '../log/event-log.js'
import { Channel } from './channel.js'

interface SubscriptionEvents {
  /** An event of a stream was published. */
  event: [subscription: Subscription, entry: LogEntry]
  /** Events of a stream may be lost. Events that are published from now on come after `head`. */
  gap: [subscription: Subscription, head: string]
}

/** One watch of a stream, shared by all sessions that have a lease of it, and the channel of the live sessions. */
export class Subscription {
  readonly stream: StreamName
  readonly channel = new Channel()
  /** Resolves when no further event can be missed; `undefined` if that is already so. */
  ready: Promise<void> | undefined
  /**
   * The id of the last event that was published since the subscription was opened or since the last gap; `undefined` if
   * there is none.
   */
  newest: string | undefined
  /** Number of gaps so far. */
  gaps = 0
  leases = 0
  /** The watch of the log, set by {@link Subscriptions}. */
  watch: Watch | undefined

  constructor (stream: StreamName) {
    this.stream = stream
  }
}

/** Watches the streams that sessions have a lease of, and publishes their events. */
export class Subscriptions extends EventEmitter<SubscriptionEvents> {
  readonly #log: EventLog
  // Map(instance, or null for the root -> subscription)
  readonly #subscriptions = new Map<StreamName, Subscription>()

  constructor (log: EventLog) {
    super()
    this.#log = log
  }

  of (stream: StreamName): Subscription | undefined {
    return this.#subscriptions.get(stream)
  }

  all (): IterableIterator<Subscription> {
    return this.#subscriptions.values()
  }

  /** Acquires a lease. The caller must {@link release} it exactly once, at any time, also before `ready`. */
  acquire (stream: StreamName): Subscription {
    const subscription = this.#subscriptions.get(stream) ?? this.#open(stream)
    subscription.leases++
    return subscription
  }

  release (subscription: Subscription): void {
    if (--subscription.leases > 0) return
    this.#forget(subscription)
    subscription.watch?.close()
  }

  #open (stream: StreamName): Subscription {
    const subscription = new Subscription(stream)
    this.#subscriptions.set(stream, subscription)
    const watch = this.#log.watch(
      stream,
      entry => { this.#published(subscription, entry) },
      head => { this.#broken(subscription, head) }
    )
    subscription.watch = watch
    subscription.ready = watch.ready?.then(
      () => { subscription.ready = undefined },
      (err: unknown) => {
        // The next session opens a new subscription.
        this.#forget(subscription)
        throw err
      }
    )
    return subscription
  }

  #published (subscription: Subscription, entry: LogEntry): void {
    subscription.newest = entry.id
    this.emit('event', subscription, entry)
  }

  #broken (subscription: Subscription, head: string): void {
    subscription.gaps++
    // The old id may be of another epoch, and greater than the next ids.
    subscription.newest = undefined
    this.emit('gap', subscription, head)
  }

  #forget (subscription: Subscription): void {
    if (this.#subscriptions.get(subscription.stream) === subscription) this.#subscriptions.delete(subscription.stream)
  }
}
