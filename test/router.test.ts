import t from 'tap'
import { Catalogue } from '../lib/events/catalogue.js'
import { Instances } from '../lib/instances/instances.js'
import { namespacesOf, Router } from '../lib/instances/router.js'
import { MemoryConfigStore } from '../lib/stores/memory/configs.js'
import type { InstanceConfigInput, Mode } from '../lib/types.js'

const catalogue = new Catalogue(['call', 'chats.set'])
const call = catalogue.get('call')
const nothingToRemove = { head: () => '', remove: async () => {} }

async function routerFor (mode: Mode, config: InstanceConfigInput | null, hosts: readonly string[] = []): Promise<Router> {
  const instances = new Instances(catalogue, new MemoryConfigStore(), nothingToRemove, null)
  if (config !== null) await instances.set('acme', config)
  return new Router(mode, instances, { isHosts: name => hosts.includes(name) })
}

interface Case {
  readonly mode: Mode
  readonly config: InstanceConfigInput | null
  readonly hosts?: string[]
  readonly routes: string[]
  readonly skipped?: string
}

const served = { enabled: true }
const cases: readonly Case[] = [
  { mode: 'traditional', config: served, routes: ['/acme'] },
  { mode: 'traditional', config: { enabled: true, events: ['call'] }, routes: ['/acme'] },
  { mode: 'traditional', config: { enabled: true, events: ['chats.set'] }, routes: [], skipped: 'filtered' },
  { mode: 'traditional', config: { enabled: false }, routes: [], skipped: 'instance-disabled' },
  { mode: 'traditional', config: null, routes: [], skipped: 'not-set' },
  { mode: 'traditional', config: served, hosts: ['acme'], routes: [], skipped: 'host-namespace' },
  { mode: 'global', config: served, routes: ['/', '/acme'] },
  { mode: 'global', config: { enabled: true, events: ['chats.set'] }, routes: ['/'], skipped: 'filtered' },
  { mode: 'global', config: { enabled: false }, routes: ['/'], skipped: 'instance-disabled' },
  { mode: 'global', config: null, routes: ['/'], skipped: 'not-set' },
  { mode: 'global', config: null, hosts: ['acme'], routes: ['/'], skipped: 'host-namespace' },
  { mode: 'disabled', config: served, routes: [], skipped: 'disabled' },
  { mode: 'disabled', config: null, hosts: ['acme'], routes: [], skipped: 'disabled' }
]

for (const { mode, config, hosts, routes, skipped } of cases) {
  const state = hosts !== undefined ? 'a name of the host' : config === null ? 'an instance that was never set' : `an instance with ${JSON.stringify(config)}`
  t.test(`in ${mode} mode, an event of ${state} goes to ${routes.join(' and ') || 'nobody'}`, async t => {
    const router = await routerFor(mode, config, hosts)
    const route = router.route('acme', call)
    t.same(namespacesOf(route), routes)
    t.equal(route.streams.includes(null), routes.includes('/'))
    t.equal(route.skipped, skipped ?? null)
  })
}

t.test('the config that counts is the one at the moment of the event', async t => {
  const instances = new Instances(catalogue, new MemoryConfigStore(), nothingToRemove, null)
  const router = new Router('traditional', instances, null)
  t.equal(router.route('acme', call).skipped, 'not-set')
  await instances.set('acme', served)
  t.equal(router.route('acme', call).skipped, null)
  await instances.remove('acme')
  t.equal(router.route('acme', call).skipped, 'not-set')
})
