/** A histogram whose values are observed while events are being written. */
interface HistogramDefinition {
  readonly name: string
  readonly help: string
  readonly buckets: readonly number[]
}

export const histograms = {
  batch: {
    name: 'ws_events_batch_events',
    help: 'Events that were written to the clients of a namespace at once.',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
  },
  lag: {
    name: 'ws_events_delivery_lag_seconds',
    help: 'Time from an event being remembered to its being handed to connections, of the oldest of a batch, once a millisecond at most.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
  }
} as const satisfies Record<string, HistogramDefinition>
