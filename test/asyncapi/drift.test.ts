import swagger from '@fastify/swagger'
import { Validator } from '@seriousme/openapi-schema-validator'
import t from 'tap'
import { evolutionEvents } from '../../lib/index.js'
import { read, section } from '../helpers/documents.js'
import { register } from '../helpers/register.js'

const names = Object.keys(evolutionEvents)
const constants = names.map(name => name.replace(/[.-]/g, '_').toUpperCase())

t.test('catalogue, routes, docs/events.md and AsyncAPI name the same events', async t => {
  const fastify = await register(t, {}, async fastify => { await fastify.register(swagger, { openapi: { info: { title: 'test', version: '1' } } }) })
  await fastify.ready()

  const { components: { messages }, operations } = fastify.wsEvents.asyncapi()
  const events = operations.sendInstanceEvents?.messages.map(({ $ref }) => messages[$ref.split('/').at(-1) ?? ''])
  t.strictSame(events?.map(message => message?.name), names)
  t.strictSame(events?.map(message => message?.title), constants)

  const described = JSON.stringify((fastify.swagger() as { paths: Record<string, unknown> }).paths['/instance/{name}/websocket'])
  const [, listed = ''] = /One or more of ([A-Z_, ]+)/.exec(described) ?? []
  t.strictSame(listed.split(', '), constants)

  const rows = [...section(read('docs/events.md'), '## Events').matchAll(/^\| `([\w.-]+)` \| `([A-Z_]+)` \|/gm)].map(([, name, constant]) => [name, constant])
  t.strictSame(rows.sort(), names.map((name, index) => [name, constants[index]]).sort())
})

const documents: Record<string, object> = {
  'OpenAPI 3.0': { openapi: { openapi: '3.0.3', info: { title: 'test', version: '1' } } },
  'OpenAPI 3.1': { openapi: { openapi: '3.1.0', info: { title: 'test', version: '1' } } },
  'Swagger 2': { swagger: { info: { title: 'test', version: '1' } } }
}

for (const [name, options] of Object.entries(documents)) {
  t.test(`the routes are valid ${name}`, async t => {
    // It keeps the schema of a version that it has compiled.
    const validator = new Validator()
    for (const more of [{}, { evolution: true }, { globalEvents: true, routes: { prefix: '/api' } }]) {
      const fastify = await register(t, more, async fastify => { await fastify.register(swagger, options as never) })
      await fastify.ready()
      const { valid, errors } = await validator.validate(JSON.parse(JSON.stringify(fastify.swagger())) as Record<string, unknown>)
      t.equal(valid, true, JSON.stringify(errors ?? null).slice(0, 1000))
      await fastify.close()
    }
  })
}
