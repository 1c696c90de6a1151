/** What a histogram has counted, as prom-client tells it. */
export interface BucketSample {
  readonly metricName: string
  readonly labels: { readonly le?: number | '+Inf' }
  readonly value: number
}

/**
 * The counts of a histogram. There is a value for each batch, of however few events and clients: prom-client's own
 * takes 60 ns and more for one, and this about 10.
 */
export class Buckets {
  readonly #bounds: readonly number[]
  // By the bounds. One more is for what is above them all
  readonly #counts: Float64Array
  #sum = 0

  /** @param bounds upper ones, growing */
  constructor (bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = new Float64Array(bounds.length + 1)
  }

  observe (value: number): void {
    const bounds = this.#bounds
    let at = 0
    while (at < bounds.length && value > (bounds[at] ?? 0)) at++
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
    this.#sum += value
  }

  /** @param name of the histogram */
  samples (name: string): BucketSample[] {
    let count = 0
    const buckets = [...this.#bounds, '+Inf' as const].map((le, at) => {
      count += this.#counts[at] ?? 0
      return { metricName: `${name}_bucket`, labels: { le }, value: count }
    })
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels: {}, value: this.#sum },
      { metricName: `${name}_count`, labels: {}, value: count }
    ]
  }
}
