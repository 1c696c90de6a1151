import type * as Prom from 'prom-client'
import { errors } from '../errors.js'
import type { Catalogue } from '../events/catalogue.js'
import type { MetricsRegistry } from '../types.js'
import { type Definition, definitions, type Reading } from './definitions.js'
import { histograms } from './histograms.js'
import { Traffic } from './traffic.js'

/** The kinds of metrics that are registered. */
type AnyMetric = Prom.Counter | Prom.Gauge | Omit<Prom.Histogram, 'get'>

/** The server's metrics in the application's registry, from `register` to `close`. */
export class Metrics {
  readonly traffic: Traffic
  readonly #registry: MetricsRegistry
  // Map(name -> metric). A metric's own `name` is no help: prom-client changes it for OpenMetrics
  readonly #metrics = new Map<string, AnyMetric>()
  #read: (() => Omit<Reading, 'traffic'>) | undefined
  #reading: Reading | undefined

  /**
   * Creates the metrics. `register` adds them to the registry.
   *
   * @throws INVALID_OPTION when prom-client is not installed, and when the registry already has metrics with these
   *   names
   */
  static async load (registry: MetricsRegistry, catalogue: Catalogue): Promise<Metrics> {
    const metrics = new Metrics(await loadPromClient(), registry, catalogue)
    metrics.#checkFree()
    return metrics
  }

  private constructor ({ Counter, Gauge, Histogram }: typeof Prom, registry: MetricsRegistry, catalogue: Catalogue) {
    this.#registry = registry
    this.traffic = new Traffic(catalogue)
    // Create the metrics without a registry: neither the application's nor prom-client's default one.
    const registers: [] = []
    for (const { name, type, help, label, aggregator, read } of definitions) {
      const config = {
        name,
        help,
        aggregator: aggregator ?? 'sum',
        labelNames: label === undefined ? [] : [label],
        registers
      } as const
      if (type === 'counter') {
        const counter: Prom.Counter = new Counter({
          ...config,
          collect: () => { this.#fill(counter, label, read, counter.inc.bind(counter)) }
        })
        this.#metrics.set(name, counter)
      } else {
        const gauge: Prom.Gauge = new Gauge({
          ...config,
          collect: () => { this.#fill(gauge, label, read, gauge.set.bind(gauge)) }
        })
        this.#metrics.set(name, gauge)
      }
    }
    for (const kept of ['batch', 'lag'] as const) {
      const { name, help, buckets } = histograms[kept]
      const histogram = new Histogram({ name, help, buckets: [...buckets], registers })
      const get = async () => ({
        name,
        help,
        type: 'histogram',
        aggregator: 'sum',
        values: this.traffic[kept].samples(name)
      })
      // Some registries call `get`, others `getForPromString`.
      this.#metrics.set(name, Object.assign(histogram, { get, getForPromString: get }))
    }
  }

  /** Replaces the values of a metric by the current ones. */
  #fill (metric: Prom.Counter | Prom.Gauge, label: string | undefined, read: Definition['read'], put: PutValue): void {
    metric.reset()
    const reading = this.#now()
    if (reading === undefined) return
    const values = read(reading)
    if (typeof values === 'number') put({}, values)
    else if (label !== undefined) for (const [of, value] of values) put({ [label]: of }, value)
  }

  /** The values of the current scrape. All metrics of a scrape are read in the same tick and share one reading. */
  #now (): Reading | undefined {
    if (this.#reading === undefined && this.#read !== undefined) {
      this.#reading = { ...this.#read(), traffic: this.traffic }
      queueMicrotask(() => { this.#reading = undefined })
    }
    return this.#reading
  }

  /**
   * Registers all metrics, or none.
   *
   * @param read returns the values, once for each scrape
   * @throws INVALID_OPTION when the registry already has metrics with these names
   */
  register (read: () => Omit<Reading, 'traffic'>): void {
    this.#checkFree()
    this.#read = read
    for (const metric of this.#metrics.values()) this.#registry.registerMetric(metric)
  }

  #checkFree (): void {
    const taken = [...this.#metrics.keys()].find(name => this.#registry.getSingleMetric(name) !== undefined)
    if (taken !== undefined) {
      throw new errors.INVALID_OPTION(
        `option "metrics": the registry has a metric "${taken}" already: give each server a registry of its own, and put them together by Registry.merge`
      )
    }
  }

  /** Removes the registered metrics, except those that other code has replaced. */
  close (): void {
    for (const [name, metric] of this.#metrics) {
      if (this.#registry.getSingleMetric(name) === metric) this.#registry.removeSingleMetric(name)
    }
    this.#read = undefined
  }
}

type PutValue = (labels: Record<string, string>, value: number) => void

async function loadPromClient (): Promise<typeof Prom> {
  try {
    return await import('prom-client')
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
    const why = isMissing ? 'install it: npm install prom-client' : `it cannot be loaded: ${String(error)}`
    throw Object.assign(new errors.INVALID_OPTION(`option "metrics" needs prom-client: ${why}`), { cause: error })
  }
}
