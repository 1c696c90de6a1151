import t from 'tap'
import { errorName } from '../lib/errors.js'
import { RefusedAddresses } from '../lib/limits/refused-addresses.js'

function isLockedOut (refused: RefusedAddresses, address: string | null): boolean {
  try {
    refused.check(address)
    return false
  } catch (error) {
    if (errorName(error) === 'LIMIT_REACHED') return true
    throw error
  }
}

t.test('an address that was refused too often is sent away until the minute is over', async t => {
  let now = 1_000_000
  const refused = new RefusedAddresses(2, () => now)
  refused.check('1.1.1.1')
  refused.add('1.1.1.1')
  refused.check('1.1.1.1')
  refused.add('1.1.1.1')
  t.equal(isLockedOut(refused, '1.1.1.1'), true)
  refused.check('2.2.2.2')
  refused.check(null)
  now += 59_999
  t.equal(isLockedOut(refused, '1.1.1.1'), true)
  now += 1
  refused.check('1.1.1.1')
  refused.add('1.1.1.1')
  refused.check('1.1.1.1')
})

t.test('of a hundred thousand addresses that are refused in a minute the oldest goes for the next, and no other', async t => {
  // Within one minute, however long it takes.
  const refused = new RefusedAddresses(1, () => 1_000_000)
  const many = 100_000
  for (let at = 0; at <= many; at++) refused.add(`address ${at}`)
  t.notOk(isLockedOut(refused, 'address 0'))
  for (const at of [1, many / 2, many]) t.ok(isLockedOut(refused, `address ${at}`))
})

t.test('0 is no limit', async t => {
  const refused = new RefusedAddresses(0)
  for (let at = 0; at < 1000; at++) refused.add('1.1.1.1')
  t.equal(isLockedOut(refused, '1.1.1.1'), false)
})

t.test('those without an address count as one, and so do addresses of one IPv6 /64', async t => {
  const refused = new RefusedAddresses(1)
  refused.add(null)
  refused.add('2001:db8:1:2::1')
  for (const address of [null, '2001:DB8:1:2:ffff:ffff:ffff:ffff', '2001:0db8:0001:0002::']) t.equal(isLockedOut(refused, address), true)
  t.equal(isLockedOut(refused, '2001:db8:1:3::1'), false)
})
