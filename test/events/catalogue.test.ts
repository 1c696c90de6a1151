import { Type } from '@sinclair/typebox'
import fc from 'fast-check'
import t from 'tap'
import { Catalogue, type EventDefinitions } from '../../lib/events/catalogue.js'
import { evolutionAliases, evolutionEvents } from '../../lib/events/evolution.js'

const evolution = new Catalogue(evolutionEvents)

/** The error that a function throws. */
function thrown (make: () => unknown): { code?: string, message: string } {
  try {
    make()
  } catch (error) {
    return error as Error & { code?: string }
  }
  throw new Error('nothing was thrown')
}

const constantOf = (name: string) => name.toUpperCase().replaceAll('.', '_').replaceAll('-', '_')

t.test('the catalogue of Evolution has its events, each in both spellings', async t => {
  t.equal(evolution.events.length, 31)
  for (const [index, name] of Object.keys(evolutionEvents).entries()) {
    const event = evolution.get(name)
    t.match(event, { name, index, constant: constantOf(name) })
    t.equal(evolution.get(constantOf(name)), event, constantOf(name))
    t.equal(evolution.find(name), event)
  }
})

t.test('the name that Evolution misspells is an alias', async t => {
  t.same([...evolutionAliases], [['GROUP_UPDATE', 'groups.update']])
  t.equal(evolution.get('GROUP_UPDATE').name, 'groups.update')
  t.equal(evolution.get('GROUPS_UPDATE').name, 'groups.update')
  t.equal(evolution.find('group.update'), undefined, 'only as it is spelled there')
  t.equal(new Catalogue(['call']).find('GROUP_UPDATE'), undefined, 'an alias of nothing is none')
  t.equal(new Catalogue(['groups.update', 'group.update']).get('GROUP_UPDATE').name, 'group.update', 'an event of the host wins')
})

t.test('a catalogue is a list or a map, in the order that it is given in', async t => {
  const names = ['order.paid', 'order-item.added', 'ping', 'A_B', 'x:y', '7']
  const listed = new Catalogue(names)
  t.same(listed.events.map(({ name }) => name), names)
  t.same(listed.events.map(({ constant }) => constant), ['ORDER_PAID', 'ORDER_ITEM_ADDED', 'PING', 'A_B', 'X:Y', '7'])
  t.same(new Catalogue({ ping: true, pong: { type: 'null' } }).events.map(({ name }) => name), ['ping', 'pong'])
  t.equal(new Catalogue({ ...evolutionEvents, 'order.paid': true }).get('ORDER_PAID').index, 31, 'Evolution\'s, extended')
})

t.test('an unknown event is told with the nearest name, in the spelling that was asked for', async t => {
  const cases: ReadonlyArray<readonly [asked: string, suggested: string]> = [
    ['message.upsert', 'messages.upsert'],
    ['messages.upser', 'messages.upsert'],
    ['Messages.Upsert', 'messages.upsert'],
    ['MESSAGE_UPSERT', 'MESSAGES_UPSERT'],
    ['QRCODE_UPDATE', 'QRCODE_UPDATED'],
    ['conection.update', 'connection.update'],
    ['calls', 'call'],
    ['group-participant.update', 'group-participants.update']
  ]
  for (const [asked, suggested] of cases) {
    const error = thrown(() => evolution.get(asked))
    t.equal(error.code, 'FST_ERR_WS_EVENTS_UNKNOWN_EVENT')
    t.ok(error.message.includes(`"${asked}"`), error.message)
    t.ok(error.message.includes(`"${suggested}"`), error.message)
    t.match(error.message, 'option "events"', 'it says how to register it')
  }
})

t.test('whatever is asked for, it is an event or UNKNOWN_EVENT', async t => {
  for (const name of ['', 'constructor', '__proto__', 'toString', 'hasOwnProperty', '*', 'messages.*', 'x'.repeat(1_000_000)]) {
    const error = thrown(() => evolution.get(name))
    t.equal(error.code, 'FST_ERR_WS_EVENTS_UNKNOWN_EVENT', name.slice(0, 20))
    t.ok(error.message.length < 300)
  }
  fc.assert(fc.property(fc.anything(), asked => {
    try {
      return evolution.events.includes(evolution.get(asked))
    } catch (error) {
      return (error as { code?: string }).code === 'FST_ERR_WS_EVENTS_UNKNOWN_EVENT'
    }
  }))
})

t.test('names that a catalogue takes are found in both spellings; others are an INVALID_OPTION error', async t => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', 'A', '_', '.', '-', ':', '7', ' ', 'é'), maxLength: 4 })
  fc.assert(fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 6 }), names => {
    const good = names.every(name => /^[A-Za-z0-9_][A-Za-z0-9_.:-]*$/.test(name))
    const apart = new Set(names.map(constantOf)).size === names.length
    try {
      const catalogue = new Catalogue(names)
      return good && apart && names.every(name => catalogue.get(name).name === name && catalogue.get(constantOf(name)).name === name)
    } catch (error) {
      return !(good && apart) && (error as { code?: string }).code === 'FST_ERR_WS_EVENTS_INVALID_OPTION'
    }
  }), { numRuns: 1000 })
})

/** The same schema by TypeBox and by hand. */
const orders: ReadonlyArray<readonly [kind: string, events: EventDefinitions]> = [
  ['TypeBox', {
    order: Type.Object({ id: Type.String({ format: 'uuid' }), at: Type.String({ format: 'date-time' }), lines: Type.Array(Type.Object({ count: Type.Integer({ minimum: 1 }) })) }, { additionalProperties: false })
  }],
  ['plain JSON Schema', {
    order: {
      type: 'object',
      additionalProperties: false,
      required: ['id', 'at', 'lines'],
      properties: {
        id: { type: 'string', format: 'uuid' },
        at: { type: 'string', format: 'date-time' },
        lines: { type: 'array', items: { type: 'object', required: ['count'], properties: { count: { type: 'integer', minimum: 1 } } } }
      }
    }
  }]
]

for (const [kind, events] of orders) {
  t.test(`data against a schema of ${kind} is INVALID_DATA, and names the property`, async t => {
    const catalogue = new Catalogue(events)
    const event = catalogue.get('order')
    const good = { id: '5f0c1e1a-8d3c-4f6e-9c55-0d8f0e7c9a11', at: '2026-01-02T03:04:05Z', lines: [{ count: 1 }] }
    const before = structuredClone(good)
    catalogue.validate(event, good)
    t.same(good, before, 'data is not changed')
    const bad: ReadonlyArray<readonly [data: unknown, says: RegExp]> = [
      [{ ...good, id: 'x' }, /data\/id.*uuid/],
      [{ ...good, at: 'yesterday' }, /data\/at.*date-time/],
      [{ ...good, lines: [{ count: 1 }, { count: 0 }] }, /data\/lines\/1\/count.*1/],
      [{ ...good, lines: [{ count: '1' }] }, /data\/lines\/0\/count.*integer/],
      [{ id: good.id, at: good.at }, /lines/],
      [{ ...good, color: 'red' }, /color/],
      ['order', /data.*object/],
      [undefined, /data.*object/],
      [null, /data.*object/]
    ]
    for (const [data, says] of bad) {
      const error = thrown(() => { catalogue.validate(event, data) })
      t.equal(error.code, 'FST_ERR_WS_EVENTS_INVALID_DATA', JSON.stringify(data))
      t.match(error.message, /"order"/)
      t.match(error.message, says)
    }
  })
}

t.test('true, and a schema that only describes, take anything', async t => {
  const catalogue = new Catalogue({ a: true, b: Type.Unknown({ description: 'anything' }), c: {}, d: Type.Any() })
  for (const event of catalogue.events) {
    for (const data of [undefined, null, 5, 'x', [], {}, 5n, Buffer.from('x')]) catalogue.validate(event, data)
    t.pass(event.name)
  }
})

t.test('a schema that cannot be compiled is an INVALID_OPTION error with the name of its event', async t => {
  for (const schema of [{ type: 'strnig' }, { $ref: '#/nowhere' }, { pattern: '(' }, { properties: 5 }]) {
    const error = thrown(() => new Catalogue({ order: schema }))
    t.equal(error.code, 'FST_ERR_WS_EVENTS_INVALID_OPTION', JSON.stringify(schema))
    t.match(error.message, /"order"/)
  }
})

t.test('two events may have the same schema, and schemas with $id', async t => {
  const schema = { $id: 'order', type: 'object' }
  const catalogue = new Catalogue({ a: schema, b: schema })
  t.equal(thrown(() => { catalogue.validate(catalogue.get('b'), 5) }).code, 'FST_ERR_WS_EVENTS_INVALID_DATA')
})

t.test('a schema that is checked asynchronously is refused', async t => {
  t.throws(() => new Catalogue({ order: { $async: true, type: 'object' } }), { code: 'FST_ERR_WS_EVENTS_INVALID_OPTION', message: /\$async/ })
})

t.test('data with very many faults makes a short error', async t => {
  const catalogue = new Catalogue({ order: { type: 'array', items: { type: 'number' } } })
  try {
    catalogue.validate(catalogue.get('order'), new Array(100_000).fill('no'))
    t.fail('it is against the schema')
  } catch (error) {
    t.ok((error as Error).message.length < 500)
  }
})
