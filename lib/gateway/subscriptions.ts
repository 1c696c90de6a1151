import { EventEmitter } from 'node:events'
import type { EventLog, LogEntry, StreamName, Watch } from '../log/event-log.js'
import { Channel } from './channel.js'

interface SubscriptionEvents {
  /** An event of a stream was published. */
  event: [subscription: Subscription, entry: LogEntry]
  /** Events of a stream may be missing for good. What is published from now on comes after `head`. */
  gap: [subscription: Subscription, head: string]
}

/** One watch of a stream, for all sessions that hold a lease of it, and the channel of those that are live. */
export class Subscription {
  readonly stream: StreamName
  readonly channel = new Channel()
  /** Resolves when nothing can be missed any more; `undefined` where that is so already. */
  ready: Promise<void> | undefined
  /** The id of the last event that was published since it was opened, or since the last gap; `undefined` before it. */
  newest: string | undefined
  /** How often events may have been missed. */
  gaps = 0
  leases = 0
  /** Set by {@link Subscriptions}, which opens it. */
  watch: Watch | undefined

  constructor (stream: StreamName) {
    this.stream = stream
  }
}

/** Watches the streams that sessions hold a lease of, and publishes their events. */
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

  /** Takes a lease. The caller must {@link release} it once, at any time, also before `ready`. */
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
        // The next session opens another one.
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
    // It may be of another epoch of the log, and greater than what comes.
    subscription.newest = undefined
    this.emit('gap', subscription, head)
  }

  #forget (subscription: Subscription): void {
    if (this.#subscriptions.get(subscription.stream) === subscription) this.#subscriptions.delete(subscription.stream)
  }
}
