import t from 'tap'
import { inspect } from 'node:util'
import { errors } from '../lib/index.js'
import { optionSchemas } from '../lib/options.js'
import { RENAMED } from '../lib/plugin/renamed.js'
import { read, section } from './helpers/documents.js'
import { register, registrationError } from './helpers/register.js'

/** What stands at a path such as `emit.accepted`. */
const at = (target: object, path: string): unknown =>
  path.split('.').reduce<unknown>((found, name) => (found as Record<string, unknown>)[name], target)

for (const [former, name] of Object.entries(RENAMED.options)) {
  t.test(`the option ${former} is an error that says ${name}`, async t => {
    const error = await registrationError(t, { [former]: 'a-secret-key' })
    t.match(error, { code: 'FST_ERR_WS_EVENTS_INVALID_OPTION', message: `option "${former}" is called "${name}" now` })
    t.notMatch(error.message, 'a-secret-key')
    t.ok(name in optionSchemas)
  })
}

for (const [former, name] of Object.entries(RENAMED.errors)) {
  t.test(`errors.${former} throws an error that says errors.${name}`, async t => {
    t.throws(() => Reflect.get(errors, former) as unknown, { message: `errors.${former} is called errors.${name} now` })
    t.type(errors[name], 'function')
  })
}

t.test('each former counter of stats() throws an error that says the new one', async t => {
  const { wsEvents } = await register(t, {})
  for (const [former, name] of Object.entries(RENAMED.stats)) {
    t.throws(() => at(wsEvents.stats(), former), { message: `stats().${former} is called stats().${name} now` })
    t.not(at(wsEvents.stats(), name), undefined, name)
  }
})

t.test('nothing that copies, compares or prints meets a former name', async t => {
  const { wsEvents } = await register(t, {})
  const stats = wsEvents.stats()
  t.strictSame({ ...stats }, structuredClone(stats))
  t.strictSame(JSON.parse(JSON.stringify(stats)), { ...stats })
  t.strictSame(Object.keys(stats), ['emit', 'publish', 'clients', 'delivery', 'log', 'store', 'limits'])
  t.notMatch(inspect(stats, { showHidden: true }), /Error/)
  for (const former of Object.keys(RENAMED.errors)) t.notOk(Object.keys(errors).includes(former))
})

t.test('an entry point that is gone cannot be imported', async t => {
  const gone = 'fastify-ws-events/suites'
  await t.rejects(import(gone), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED', message: /\.\/suites/ })
})

t.test('the changelog has each of these names, with the new one, and those of the environment', async t => {
  const rows = [...section(read('CHANGELOG.md'), '### 0.1 → 1.0').matchAll(/^\| (.*) \| (.*) \| (.*) \|$/gm)].slice(2)
  const documented = new Map(rows.map(([, former = '', name = '']) => [former, name]))
  for (const [former, name] of Object.entries(RENAMED.options)) t.equal(documented.get(`option \`${former}\``), `option \`${name}\``)
  for (const [former, name] of Object.entries(RENAMED.stats)) {
    t.equal(documented.get(`\`stats().${former}\``), `\`stats().${name}\``)
  }
  for (const [former, name] of Object.entries(RENAMED.errors)) {
    const { code } = new errors[name]()
    t.equal(documented.get(`\`errors.${former}\`, code \`FST_ERR_WS_EVENTS_${former}\``), `\`errors.${name}\`, code \`${code}\``)
  }
  for (const schema of Object.values(optionSchemas)) {
    if ('withEvolution' in schema) t.match(documented.get(`variable \`${schema.env}\``), /with `evolution` only/)
  }
  // Names that the table says are there: an option, a member of `errors`.
  for (const [former, name] of documented) {
    const option = /^option `(\w+)`$/.exec(name)?.[1]
    if (option !== undefined) t.ok(option in optionSchemas, `${former}: ${name}`)
    const error = /^`errors\.(\w+)`/.exec(name)?.[1]
    if (error !== undefined) t.ok(Object.keys(errors).includes(error), `${former}: ${name}`)
  }
})
