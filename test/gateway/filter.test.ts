import fc from 'fast-check'
import t from 'tap'
import type { Grant } from '../../lib/access/access.js'
import { Catalogue } from '../../lib/events/catalogue.js'
import { EventBits, listEvents } from '../../lib/events/event-set.js'
import { evolutionEvents } from '../../lib/events/evolution.js'
import { type AskedFilter, type Filter, makeFilter, passes } from '../../lib/gateway/filter.js'

const catalogue = new Catalogue(evolutionEvents)
const NAMES = catalogue.events.map(({ name }) => name)

const grantOf = (instances: readonly string[] | null = null, events: readonly string[] | null = null): Grant => ({
  global: false,
  instances: instances === null ? null : new Set(instances),
  events: events === null ? null : new EventBits(catalogue, events.map(name => catalogue.get(name))),
  publish: false,
  keyHash: null,
  expiresAt: null
})

const filterOf = (asked: AskedFilter, grant = grantOf(), instance: string | null = null): Filter => makeFilter(catalogue, asked, grant, instance)
const eventsOf = (filter: Filter): string[] => listEvents(catalogue, filter.events).map(({ name }) => name)
const thrown = (asked: AskedFilter, instance: string | null = null): { code?: string, message: string } => {
  try {
    return { message: `a filter of ${eventsOf(filterOf(asked, grantOf(), instance)).join()}` }
  } catch (error) {
    return error as Error & { code?: string }
  }
}

t.test('empty or missing is all', async t => {
  for (const nothing of [undefined, null, '', [], ',', ' , ']) {
    const filter = filterOf({ events: nothing, instances: nothing })
    t.same(eventsOf(filter), NAMES, JSON.stringify(nothing))
    t.equal(filter.events, null)
    t.equal(filter.instances, null)
  }
})

t.test('events are a list or names with commas, in either spelling, with wildcards', async t => {
  const cases: ReadonlyArray<readonly [asked: unknown, events: string[]]> = [
    [['messages.upsert'], ['messages.upsert']],
    ['messages.upsert', ['messages.upsert']],
    ['CALL,messages.upsert', ['messages.upsert', 'call']],
    [' call , MESSAGES_UPSERT,', ['messages.upsert', 'call']],
    [['GROUP_UPDATE'], ['groups.update']],
    ['group-participants.update', ['group-participants.update']],
    ['chats.*', ['chats.set', 'chats.upsert', 'chats.update', 'chats.delete']],
    [['chats.*', 'call', 'chats.set'], ['chats.set', 'chats.upsert', 'chats.update', 'chats.delete', 'call']],
    ['*', NAMES],
    [['call', '*'], NAMES]
  ]
  for (const [asked, events] of cases) t.same(eventsOf(filterOf({ events: asked })), events, JSON.stringify(asked))
})

t.test('instances count at the root alone', async t => {
  t.same([...filterOf({ instances: ' acme,cafe\u0301 ' }).instances ?? []], ['acme', 'café'])
  t.same([...filterOf({ instances: ['acme', 'acme'] }).instances ?? []], ['acme'])
  t.equal(filterOf({ instances: ['other'] }, grantOf(), 'acme').instances, null)
  t.equal(filterOf({ instances: 'other' }, grantOf(['acme']), 'acme').instances, null)
})

t.test('what names no event or instance is INVALID_FILTER, and says what', async t => {
  const cases: ReadonlyArray<readonly [asked: AskedFilter, says: RegExp]> = [
    [{ events: ['message.upsert'] }, /"message\.upsert".*"messages\.upsert"/],
    [{ events: 'MESSAGE_UPSERT' }, /"MESSAGES_UPSERT"/],
    [{ events: ['call', 'nonsense.*'] }, /"nonsense\.\*"/],
    [{ events: [''] }, /empty name in "events"/],
    [{ events: 5 }, /"events"/],
    [{ events: true }, /"events"/],
    [{ events: { 0: 'call' } }, /"events"/],
    [{ events: ['call', 5] }, /"events"/],
    [{ events: [['call']] }, /"events"/],
    [{ events: ['x'.repeat(201)] }, /201 characters/],
    [{ events: new Array(10_001).fill('call') }, /10001 names in "events", \d+ are allowed/],
    [{ events: 'call,'.repeat(10_001) }, /names in "events", \d+ are allowed/],
    [{ instances: ['a/b'] }, /"a\/b"/],
    [{ instances: ['..'] }, /path step/],
    [{ instances: [5] }, /"instances"/],
    [{ instances: { a: 1 } }, /"instances"/]
  ]
  for (const [asked, says] of cases) {
    const error = thrown(asked)
    t.equal(error.code, 'FST_ERR_WS_EVENTS_INVALID_FILTER', JSON.stringify(asked).slice(0, 60))
    t.match(error.message, says)
    t.ok(error.message.length < 600, 'short')
  }
})

t.test('whatever a client asks for, it gets a filter or INVALID_FILTER', async t => {
  const value = fc.oneof(fc.anything(), fc.string(), fc.array(fc.string()))
  fc.assert(fc.property(value, value, fc.constantFrom(null, 'acme'), (events, instances, instance) => {
    try {
      const filter = filterOf({ events, instances }, grantOf(), instance)
      return typeof filter.key === 'string'
    } catch (error) {
      return (error as { code?: string }).code === 'FST_ERR_WS_EVENTS_INVALID_FILTER'
    }
  }), { numRuns: 1000 })
})

const someEvents = fc.option(fc.subarray(NAMES), { nil: null })
const someInstances = fc.option(fc.subarray(['a', 'b', 'c', 'd']), { nil: null })

t.test('a filter lets through what was asked for and granted, and nothing else', async t => {
  fc.assert(fc.property(someEvents, someEvents, someInstances, someInstances, (askedEvents, grantedEvents, askedInstances, grantedInstances) => {
    const filter = filterOf({ events: askedEvents, instances: askedInstances }, grantOf(grantedInstances, grantedEvents))
    // An empty list asks for all, and grants nothing.
    const asks = (list: string[] | null, name: string) => list === null || list.length === 0 || list.includes(name)
    const grants = (list: string[] | null, name: string) => list === null || list.includes(name)
    return catalogue.events.every(event => ['a', 'b', 'c', 'd', 'e'].every(instance =>
      passes(filter, event, instance) === (asks(askedEvents, event.name) && grants(grantedEvents, event.name) &&
        asks(askedInstances, instance) && grants(grantedInstances, instance))))
  }), { numRuns: 500 })
})

t.test('filters have the same key exactly if they let the same through', async t => {
  const list = fc.subarray(['call', 'messages.upsert', 'chats.set'])
  const instances = fc.subarray(['a', 'b', 'a b', '*'])
  fc.assert(fc.property(list, list, instances, instances, (e1, e2, i1, i2) => {
    const [one, other] = [filterOf({ events: e1, instances: i1 }), filterOf({ events: e2.reverse(), instances: i2.reverse() })]
    const same = catalogue.events.every(event => ['a', 'b', 'a b', '*', 'c'].every(name => passes(one, event, name) === passes(other, event, name)))
    return (one.key === other.key) === same
  }), { numRuns: 500 })
  t.not(filterOf({ instances: ['*'] }).key, filterOf({}).key, 'an instance may be called *')
})
