import fc from 'fast-check'
import t from 'tap'
import { Catalogue, type EventType } from '../../lib/events/catalogue.js'
import { EventBits, type EventSet, eventSet, includes, intersectEvents, listEvents, parseEventPatterns } from '../../lib/events/event-set.js'

const catalogue = new Catalogue(['messages.set', 'messages.upsert', 'messages.update', 'chats.set', 'chats.update', 'call', 'group-participants.update', 'messages'])
const all = catalogue.events.map(({ name }) => name)

class Unknown extends Error {}
const unknown = (pattern: string) => new Unknown(pattern)
const parse = (patterns: readonly string[]): EventSet => parseEventPatterns(catalogue, patterns, unknown)
const namesOf = (set: EventSet): string[] => listEvents(catalogue, set).map(({ name }) => name)
const setOf = (names: Iterable<string>): EventBits => new EventBits(catalogue, [...names].map(name => catalogue.get(name)))

/** What a pattern means, said in another way. */
function meaning (pattern: string): string[] {
  if (pattern === '*') return all
  if (pattern.endsWith('.*')) return all.filter(name => name.startsWith(pattern.slice(0, -1)))
  return all.filter(name => name === pattern || name.toUpperCase().replace(/[.-]/g, '_') === pattern)
}

const name = fc.constantFrom(...catalogue.events)
const known = fc.oneof(
  name.map(event => event.name),
  name.map(event => event.constant),
  fc.constantFrom('messages.*', 'chats.*', 'group-participants.*', '*')
)

t.test('any list of names and patterns means the union of what each means', async t => {
  fc.assert(fc.property(fc.array(known, { maxLength: 12 }), patterns => {
    const expected = new Set(patterns.length === 0 ? all : patterns.flatMap(meaning))
    const set = parse(patterns)
    return namesOf(set).join() === all.filter(name => expected.has(name)).join() &&
      catalogue.events.every(event => includes(set, event) === expected.has(event.name)) &&
      (set === null) === (expected.size === all.length)
  }), { numRuns: 1000 })
})

t.test('order and repetition make no difference, also not to the key', async t => {
  const list = fc.array(known, { minLength: 1, maxLength: 8 })
  fc.assert(fc.property(list, list, (patterns, more) => {
    const set = parse(patterns)
    const again = parse([...patterns].reverse().concat(patterns))
    const other = parse(more)
    const same = namesOf(set).join() === namesOf(other).join()
    return set?.key === again?.key && (set?.key === other?.key) === same
  }), { numRuns: 500 })
})

t.test('the events of two sets are those that are in both', async t => {
  const subset = fc.option(fc.subarray(all).map(setOf), { nil: null })
  fc.assert(fc.property(subset, subset, (a, b) => {
    const both = intersectEvents(catalogue, a, b)
    return catalogue.events.every(event => includes(both, event) === (includes(a, event) && includes(b, event))) &&
      namesOf(both).join() === namesOf(intersectEvents(catalogue, b, a)).join()
  }), { numRuns: 500 })
})

t.test('sets that have nothing in common have an empty set in common, and not all', async t => {
  const both = intersectEvents(catalogue, setOf(['call']), setOf(['messages']))
  t.not(both, null)
  t.same(namesOf(both), [])
})

t.test('the first name that matches nothing is what the error is made of', async t => {
  for (const wrong of ['message.upsert', 'call.*', 'messages*', '*.set', 'CALLS', '', ' call', 'messages.upsert.*', '**', '.*']) {
    t.throws(() => parse(['call', wrong, 'nonsense']), new Unknown(wrong), JSON.stringify(wrong))
  }
})

t.test('messages.* is what starts with that, and not the event messages itself', async t => {
  t.same(namesOf(parse(['messages.*'])), ['messages.set', 'messages.upsert', 'messages.update'])
})

t.test('no events, and all of them, are all, those of a later catalogue too', async t => {
  t.equal(eventSet(catalogue, []), null)
  t.equal(eventSet(catalogue, catalogue.events), null)
  t.equal(eventSet(catalogue, [...catalogue.events].reverse()), null)
  t.not(eventSet(catalogue, catalogue.events.slice(1)), null)
  const [first] = catalogue.events as [EventType, ...EventType[]]
  t.not(eventSet(catalogue, catalogue.events.map(() => first)), null, 'one of them many times is not all')
})

t.test('a set knows its size', async t => {
  t.equal(setOf([]).size, 0)
  t.equal(setOf(['call', 'call', 'messages']).size, 2)
})
