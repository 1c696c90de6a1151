import { mock } from 'node:test'
import t from 'tap'
import { Catalogue } from '../../lib/events/catalogue.js'
import { Ids } from '../../lib/log/ids.js'
import { Buckets } from '../../lib/metrics/buckets.js'
import { Traffic } from '../../lib/metrics/traffic.js'

/** What a histogram has counted, by the end of its samples' names and their bounds. */
const counted = (buckets: Buckets): Record<string, number> =>
  Object.fromEntries(buckets.samples('x').map(({ metricName, labels, value }) => [`${metricName.slice(2)}${labels.le === undefined ? '' : ` ${labels.le}`}`, value]))

t.test('a bound is in its bucket, and a bucket has all that is below it', async t => {
  const buckets = new Buckets([1, 10])
  t.strictSame(counted(buckets), { 'bucket 1': 0, 'bucket 10': 0, 'bucket +Inf': 0, sum: 0, count: 0 })
  for (const value of [0, 1, 1.5, 10, 11]) buckets.observe(value)
  t.strictSame(counted(buckets), { 'bucket 1': 2, 'bucket 10': 4, 'bucket +Inf': 5, sum: 23.5, count: 5 })
})

t.test('the lag is from the id of the oldest to now, once a millisecond', async t => {
  mock.timers.enable({ apis: ['Date'], now: 1_700_000_000_000 })
  t.teardown(() => { mock.timers.reset() })
  const catalogue = new Catalogue(['call'])
  const traffic = new Traffic(catalogue)
  const ids = new Ids()
  const told = () => ({ entry: { id: ids.next() }, event: catalogue.find('call') })
  const first = told()
  mock.timers.tick(2000)
  traffic.wrote([first, told()])
  traffic.wrote([told()])
  t.match(counted(traffic.lag), { sum: 2, count: 1, 'bucket 1': 0, 'bucket 2.5': 1 })
  t.match(counted(traffic.batch), { sum: 3, count: 2 })
  // Of a machine whose clock is a little ahead.
  mock.timers.tick(500)
  const ahead = told()
  mock.timers.setTime(1_700_000_002_001)
  traffic.wrote([ahead])
  t.match(counted(traffic.lag), { sum: 2, count: 2 })
  // Of Redis after a restart, or of before the clock was set back: nothing is known of its age.
  mock.timers.setTime(1_699_999_995_000)
  traffic.wrote([told()])
  t.match(counted(traffic.lag), { sum: 2, count: 2 })
  mock.timers.tick(1)
  traffic.wrote([{ entry: { id: 'an id of the host\'s own making' }, event: undefined }])
  t.match(counted(traffic.lag), { count: 2 })
})
