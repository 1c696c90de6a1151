import fc from 'fast-check'
import t from 'tap'
import { Catalogue } from '../../lib/events/catalogue.js'
import { evolutionEvents } from '../../lib/events/evolution.js'
import { Event } from '../../lib/gateway/batch.js'
import { type Filter, makeFilter } from '../../lib/gateway/filter.js'
import { FilterIndex } from '../../lib/gateway/filter-index.js'
import type { Grant } from '../../lib/access/access.js'

const catalogue = new Catalogue(evolutionEvents)
const ALL: Grant = { global: true, instances: null, events: null, publish: false, keyHash: null, expiresAt: null }
const names = catalogue.events.map(({ name }) => name)
const instances = ['acme', 'other', 'third', 'fourth']

const eventOf = (instance: string, name: string): Event =>
  new Event({ id: '1', event: name, instance, rest: Buffer.alloc(0), attachments: [] }, catalogue.find(name))
const entryOf = (events: string[], instances: string[]): { filter: Filter } => ({ filter: makeFilter(catalogue, { events, instances }, ALL, null) })

t.test('every filter that lets an event through is a candidate, once, however many come and go', async t => {
  const filter = fc.record({ events: fc.uniqueArray(fc.constantFrom(...names)), instances: fc.uniqueArray(fc.constantFrom(...instances)) })
  fc.assert(fc.property(fc.array(filter), fc.array(fc.nat()), (filters, gone) => {
    const index = new FilterIndex<{ filter: Filter }>()
    const entries = filters.map(({ events, instances }) => entryOf(events, instances))
    for (const entry of entries) index.add(entry)
    for (const at of gone) {
      const [entry] = entries.splice(at % Math.max(entries.length, 1), 1)
      if (entry !== undefined) index.delete(entry)
    }
    for (const instance of instances) {
      for (const name of [...names, 'an event of another catalogue']) {
        const event = eventOf(instance, name)
        const candidates = [...index.candidates(event)]
        const right = entries.filter(({ filter }) => event.passes(filter))
        if (new Set(candidates).size !== candidates.length) return false
        if (!right.every(entry => candidates.includes(entry)) || !candidates.every(entry => entries.includes(entry))) return false
      }
    }
    for (const entry of entries) index.delete(entry)
    return index.isPlain && index.unfiltered.size === 0
  }))
})

t.test('an event is compared with the filters of its instance and its name alone', async t => {
  const index = new FilterIndex<{ filter: Filter }>()
  for (let at = 0; at < 10_000; at++) index.add(entryOf([names[at % 30] as string], [`instance-${at}`]))
  for (let at = 0; at < 30; at++) index.add(entryOf([names[at] as string], []))
  index.add(entryOf([], []))
  t.equal([...index.candidates(eventOf('instance-7', names[7] as string))].length, 3)
  t.equal([...index.candidates(eventOf('instance-7', names[8] as string))].length, 2)
  t.equal([...index.candidates(eventOf('unknown', names[30] as string))].length, 1)
})

t.test('a filter of very many instances and events is entered under its instances alone', async t => {
  const index = new FilterIndex<{ filter: Filter }>()
  const many = entryOf(names.slice(0, 20), Array.from({ length: 1000 }, (empty, at) => `instance-${at}`))
  index.add(many)
  t.strictSame([...index.candidates(eventOf('instance-999', names[25] as string))], [many])
  t.strictSame([...index.candidates(eventOf('instance-1000', names[1] as string))], [])
  index.delete(many)
  t.ok(index.isPlain)
})
