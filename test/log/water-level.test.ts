import fc from 'fast-check'
import t from 'tap'
import { waterLevel } from '../../lib/log/water-level.js'

t.test('what is cut to the level fits, and no more is cut than must be', async t => {
  const amount = fc.integer({ min: 0, max: 1000 })
  fc.assert(fc.property(fc.array(amount, { minLength: 1, maxLength: 30 }), amount, (amounts, total) => {
    const level = waterLevel(amounts, total)
    const cut = amounts.reduce((left, each) => left + Math.min(each, level), 0)
    const whole = amounts.reduce((left, each) => left + each, 0)
    return whole <= total ? level === Infinity : cut <= total && cut > total - amounts.length
  }), { numRuns: 500 })
})

t.test('who has little keeps all of it', async t => {
  t.equal(waterLevel([10, 1000, 20, 5000], 1030), 500)
  t.equal(waterLevel([10, 20], 30), Infinity)
  t.equal(waterLevel([], 0), Infinity)
})

t.test('the amounts stay in their order', async t => {
  const amounts = [3, 1, 2]
  waterLevel(amounts, 3)
  t.strictSame(amounts, [3, 1, 2])
})
