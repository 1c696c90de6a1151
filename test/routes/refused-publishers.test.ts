import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import t from 'tap'
import { errors } from '../../lib/index.js'
import { RefusedPublishers } from '../../lib/routes/refused-publishers.js'

t.test('a refusal is logged once a minute for an address, for a thousand addresses, and only if it is one of a key', async t => {
  const logged: Array<string | null> = []
  let now = 0
  const log = { warn: ({ address }: { address: string | null }) => logged.push(address) } as unknown as FastifyBaseLogger
  const request = { routeOptions: { url: '/webhook/evolution' } } as FastifyRequest
  const refused = new RefusedPublishers(log, () => now)
  const refuse = (address: string | null, error: unknown = new errors.UNAUTHORIZED()): void => { refused.add(error, request, null, address) }
  for (let time = 0; time < 3; time++) for (const address of ['192.0.2.1', null, '2001:db8::1', '2001:db8::2']) refuse(address)
  t.strictSame(logged, ['192.0.2.1', null, '2001:db8::1'], 'a network of IPv6 counts as one address')
  refuse('192.0.2.2', new Error('a mistake'))
  refuse('192.0.2.2', new errors.CLOSED())
  t.equal(logged.length, 3)
  now = 60_000
  refuse('192.0.2.1')
  t.equal(logged.length, 4)
  for (let number = 0; number < 2000; number++) refuse(`10.0.${number >> 8}.${number & 255}`)
  t.equal(logged.length, 1003)
})
