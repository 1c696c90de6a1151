// Schemas that hosts bring: of any draft, and of the libraries that make them.
import { Type as Type034 } from '@sinclair/typebox'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import t, { type Test } from 'tap'
import { Type } from 'typebox'
import { z } from 'zod'
import type { EventSchema } from '../../lib/index.js'
import { connect } from '../helpers/client.js'
import { register, registrationError } from '../helpers/register.js'
import { startServer } from '../helpers/server.js'

interface Case {
  readonly schema: EventSchema
  readonly valid: readonly unknown[]
  readonly invalid: readonly unknown[]
}

const DRAFT_7 = 'http://json-schema.org/draft-07/schema#'
const DRAFT_2019 = 'https://json-schema.org/draft/2019-09/schema'
const DRAFT_2020 = 'https://json-schema.org/draft/2020-12/schema'

const Node = z.object({ id: z.string(), pair: z.tuple([z.string(), z.number()]), get kids () { return z.array(Node) } })
const Money = z.object({ cents: z.number().int() }).meta({ id: 'Money' })

const CASES: Readonly<Record<string, Case>> = {
  'typebox 1': {
    schema: Type.Object({ id: Type.String({ format: 'uuid' }), note: Type.Optional(Type.String()) }, { additionalProperties: false }),
    valid: [{ id: 'b2f1f6d2-6c7e-4f8e-9a39-0a4f3f3a7f10' }, { id: 'b2f1f6d2-6c7e-4f8e-9a39-0a4f3f3a7f10', note: '' }],
    invalid: [{ id: '1' }, { id: 1 }, {}, { id: 'b2f1f6d2-6c7e-4f8e-9a39-0a4f3f3a7f10', more: 1 }]
  },
  'typebox 1, cyclic': {
    schema: Type.Cyclic({ Tree: Type.Object({ name: Type.String(), children: Type.Array(Type.Ref('Tree')) }) }, 'Tree'),
    valid: [{ name: 'a', children: [{ name: 'b', children: [] }] }],
    invalid: [{ name: 'a', children: [{ name: 1, children: [] }] }]
  },
  '@sinclair/typebox': {
    schema: Type034.Recursive(This => Type034.Object({ name: Type034.String(), children: Type034.Array(This) })),
    valid: [{ name: 'a', children: [{ name: 'b', children: [] }] }],
    invalid: [{ name: 'a', children: [{ name: 'b' }] }]
  },
  'zod, draft 2020-12': {
    schema: z.toJSONSchema(Node),
    valid: [{ id: '1', pair: ['a', 1], kids: [{ id: '2', pair: ['b', 2], kids: [] }] }],
    invalid: [{ id: '1', pair: [1, 'a'], kids: [] }, { id: '1', pair: ['a', 1, 2], kids: [] }, { id: '1', pair: ['a', 1], kids: [{ id: 2 }] }]
  },
  'zod, draft 2020-12 with $defs': {
    schema: z.toJSONSchema(z.object({ net: Money, gross: Money.describe('with tax') })),
    valid: [{ net: { cents: 1 }, gross: { cents: 2 } }],
    invalid: [{ net: { cents: 1.5 }, gross: { cents: 2 } }, { net: { cents: 1 }, gross: 2 }]
  },
  'zod, draft 7': {
    schema: z.toJSONSchema(Node, { target: 'draft-7' }),
    valid: [{ id: '1', pair: ['a', 1], kids: [] }],
    invalid: [{ id: '1', pair: [1, 'a'], kids: [] }]
  },
  'draft 7 by https and without #': {
    schema: { $schema: 'https://json-schema.org/draft-07/schema', type: 'array', items: [{ type: 'string' }], additionalItems: false },
    valid: [['a'], []],
    invalid: [['a', 'b'], [1]]
  },
  'draft 7, a reference': {
    schema: { $schema: DRAFT_7, $ref: '#/definitions/id', definitions: { id: { type: 'string' } } },
    valid: ['a'],
    invalid: [1]
  },
  'draft 2019-09': {
    schema: {
      $schema: DRAFT_2019,
      type: 'object',
      properties: { card: { $ref: '#number' }, next: { $recursiveRef: '#' } },
      dependentRequired: { card: ['billing'] },
      dependentSchemas: { card: { properties: { billing: { type: 'string' } } }, cash: { required: ['till'] } },
      $defs: { number: { $anchor: 'number', type: 'integer' } }
    },
    valid: [{}, { card: 1, billing: 'x' }, { cash: 1, till: 2 }, { next: { card: 1, billing: 'x' } }],
    invalid: [{ card: 1 }, { card: 'x', billing: 'x' }, { card: 1, billing: 1 }, { cash: 1 }, { next: { card: 1 } }]
  },
  'draft 2020-12, a reference with more beside it': {
    schema: { $schema: `${DRAFT_2020}#`, $ref: '#/$defs/text', maxLength: 3, $defs: { text: { type: 'string' } } },
    valid: ['abc'],
    invalid: ['abcd', 1]
  },
  'draft 2020-12, tuples and dynamic references': {
    schema: { $schema: DRAFT_2020, $dynamicAnchor: 'node', type: 'array', prefixItems: [{ type: 'string' }], items: { $dynamicRef: '#node' } },
    valid: [['a'], ['a', ['b'], ['c', ['d']]]],
    invalid: [[1], ['a', 'b'], ['a', [1]]]
  }
}

async function isAccepted (promise: Promise<unknown>): Promise<boolean> {
  try {
    await promise
    return true
  } catch (error) {
    if ((error as { code?: string }).code !== 'FST_ERR_WS_EVENTS_INVALID_DATA') throw error
    return false
  }
}

/** What `asyncapi()` says of a schema, as a reader of draft 7 takes it. */
function described (document: object, key: string): (data: unknown) => unknown {
  const ajv = new Ajv({ strict: false })
  addFormats.default(ajv)
  ajv.addSchema({ $id: 'document', ...document })
  return ajv.getSchema(`document#/components/schemas/${key}`) as (data: unknown) => unknown
}

for (const [name, { schema, valid, invalid }] of Object.entries(CASES)) {
  t.test(`${name}: emit, handle and the document agree`, async t => {
    const { fastify: { wsEvents }, url } = await startServer(t, { events: { thing: schema }, defaultConfig: { enabled: true } })
    wsEvents.handle('send.thing', { schema, handler: () => 'taken' })
    const client = connect(t, `${url}/acme`)
    const document = wsEvents.asyncapi()
    t.strictSame(JSON.parse(JSON.stringify(document)), document, 'it is plain JSON')
    const [emitted, sent] = [described(document, 'thing.data'), described(document, 'send.thing.request.data')]
    for (const [expected, list] of [[true, valid], [false, invalid]] as const) {
      for (const data of list) {
        const text = JSON.stringify(data)
        t.equal(await isAccepted(wsEvents.emit('acme', 'thing', data)), expected, `emit ${text}`)
        const answer: unknown = await client.emitWithAck('send.thing', data)
        if (expected) t.equal(answer, 'taken', `handle ${text}`)
        else t.match(answer, { code: 'FST_ERR_WS_EVENTS_INVALID_DATA' }, `handle ${text}`)
        t.equal(emitted(data), expected, `document ${text}`)
        t.equal(sent(data), expected, `document of what is sent ${text}`)
      }
    }
  })
}

async function assertRefused (t: Test, schema: object, why: RegExp): Promise<void> {
  t.match(await registrationError(t, { events: { thing: schema } }), { message: why })
  const { wsEvents } = await register(t)
  t.throws(() => { wsEvents.handle('send.thing', { schema: schema as EventSchema, handler: () => null }) }, { message: why })
}

t.test('a draft that is not supported is an error that says which are', async t => {
  for (const $schema of ['http://json-schema.org/draft-04/schema#', 'http://json-schema.org/draft-06/schema#', 'https://json-schema.org/draft/next/schema', 'https://example.com/mine', '', 7]) {
    await assertRefused(t, { $schema, type: 'object' }, /the schema of "(send\.)?thing" names .* as its \$schema, and JSON Schema draft-07, 2019-09 and 2020-12 are supported/)
  }
})

t.test('a schema of zod\'s own is an error that says how to convert it', async t => {
  await assertRefused(t, z.object({ id: z.string() }), /the schema of "(send\.)?thing" is zod's own: give z\.toJSONSchema\(\) of it/)
})

t.test('two events may have the same schema, of any draft', async t => {
  for (const $schema of [DRAFT_7, DRAFT_2019, DRAFT_2020]) {
    const schema = { $schema, $id: 'https://example.com/order', type: 'object' }
    const { wsEvents } = await register(t, { events: { a: schema, b: schema }, defaultConfig: { enabled: true } })
    t.equal(await isAccepted(wsEvents.emit('acme', 'a', {})), true)
    t.equal(await isAccepted(wsEvents.emit('acme', 'b', 1)), false)
  }
})

t.test('schemas of several drafts stand in one catalogue', async t => {
  const { wsEvents } = await register(t, { events: Object.fromEntries(Object.values(CASES).map(({ schema }, at) => [`thing.${at}`, schema])), defaultConfig: { enabled: true } })
  for (const [at, { valid: [data], invalid: [other] }] of Object.values(CASES).entries()) {
    t.equal(await isAccepted(wsEvents.emit('acme', `thing.${at}`, data)), true)
    t.equal(await isAccepted(wsEvents.emit('acme', `thing.${at}`, other)), false)
  }
})
