import t from 'tap'
import { MemoryConfigStore } from '../../lib/stores/memory.js'
import { testConfigStore } from './config-store.js'

testConfigStore(t, 'memory', () => new MemoryConfigStore())

t.test('memory: a store knows nothing of another', async t => {
  const [one, other] = [new MemoryConfigStore(), new MemoryConfigStore()]
  await one.set('acme', { enabled: true, events: null })
  t.equal(await other.get('acme'), null)
})
