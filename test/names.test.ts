import fc from 'fast-check'
import t from 'tap'
import { excerpt, instanceName, instanceOfNamespace, MAX_NAME_LENGTH, namespaceOf } from '../lib/instances/names.js'

const INVALID_NAME = 'FST_ERR_WS_EVENTS_INVALID_NAME'

/** Any text, with more of the characters that mean something than chance would bring. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 120 }),
  fc.string({ unit: fc.constantFrom('a', 'B', '7', '-', '_', '.', ' ', ',', '/', '\\', '?', '#', '%', '%20', '%2F', '%25', '\0', '\u007f', '\u0085', 'é', 'e\u0301', '\u0958', '日', '😀', '\ud800', '\udc00', '\u200b'), maxLength: 110 })
)

/** What a function answers, or the code of the error that it throws. */
function outcome (make: () => string): { name: string } | { code: string | undefined, message: string } {
  try {
    return { name: make() }
  } catch (error) {
    return { code: (error as { code?: string }).code, message: (error as Error).message }
  }
}

t.test('a name is itself, in its composed form', async t => {
  for (const name of ['acme', 'A', 'a-b_c', 'Teste 01', '5511999999999', 'café', '日本', '😀', '...', '.a', ' ', 'a:b', "o'neil", '__proto__', 'constructor', 'a&b=c', '*', 'null', 'a'.repeat(100)]) {
    t.equal(instanceName(name), name)
  }
  t.equal(instanceName('cafe\u0301'), 'café', 'é has two forms')
  t.equal(instanceName('e\u0301'.repeat(MAX_NAME_LENGTH)), 'é'.repeat(MAX_NAME_LENGTH), 'the composed form counts')
})

t.test('what cannot be a name is refused, and the error says why', async t => {
  const cases: ReadonlyArray<readonly [name: unknown, says: RegExp]> = [
    ['', /is empty/],
    ['.', /path step/],
    ['..', /path step/],
    ['a/b', /"\/"/],
    ['a\\b', /"\\\\"/],
    ['a,b', /","/],
    ['a?b', /"\?"/],
    ['a#b', /"#"/],
    ['a%20b', /"%"/],
    ['a\0b', /u0000.*control/],
    ['a\nb', /control/],
    ['a\u007fb', /control/],
    ['a\u0085b', /control/],
    ['a\ud800', /well-formed/],
    ['a'.repeat(101), /101 characters, 100/],
    ['\u0958'.repeat(51), /102 characters, 100/],
    ['a'.repeat(5_000_000), /5000000 characters/],
    [undefined, /undefined.*string/],
    [null, /string/],
    [5, /number.*string/],
    [['a'], /string/],
    [{ toString: () => 'a' }, /string/]
  ]
  for (const [name, says] of cases) {
    const found = outcome(() => instanceName(name))
    t.match(found, { code: INVALID_NAME, message: says })
    t.ok('message' in found && found.message.length < 300, 'a short message, however long the name')
  }
})

t.test('normalization is idempotent, and nothing but INVALID_NAME is ever thrown', async t => {
  fc.assert(fc.property(text, value => {
    const found = outcome(() => instanceName(value))
    if (!('name' in found)) return found.code === INVALID_NAME
    return instanceName(found.name) === found.name && found.name === value.normalize('NFC')
  }), { numRuns: 2000 })
  fc.assert(fc.property(fc.anything(), value => {
    const found = outcome(() => instanceName(value))
    return 'name' in found ? typeof value === 'string' : found.code === INVALID_NAME
  }))
})

t.test('a name has what it may have, and nothing else: the rule said twice', async t => {
  fc.assert(fc.property(text, value => {
    const normal = value.normalize('NFC')
    const controls = [...normal].some(char => (char.codePointAt(0) ?? 0) < 32 || ((char.codePointAt(0) ?? 0) >= 127 && (char.codePointAt(0) ?? 0) < 160))
    const forbidden = ['/', '\\', ',', '?', '#', '%'].some(char => normal.includes(char))
    const valid = normal.length >= 1 && normal.length <= 100 && !controls && !forbidden && normal !== '.' && normal !== '..' && normal.isWellFormed()
    return ('name' in outcome(() => instanceName(value))) === valid
  }), { numRuns: 2000 })
})

t.test('a namespace names its instance, percent-encoded or not, with or without a slash at the end', async t => {
  const cases: ReadonlyArray<readonly [namespace: string, name: string]> = [
    ['/acme', 'acme'],
    ['/acme/', 'acme'],
    ['/Teste%2001', 'Teste 01'],
    ['/Teste 01/', 'Teste 01'],
    ['/caf%C3%A9', 'café'],
    ['/cafe%CC%81', 'café'],
    ['/%61cme', 'acme']
  ]
  for (const [namespace, name] of cases) t.equal(instanceOfNamespace(namespace), name, namespace)
})

t.test('a namespace that names no instance is refused', async t => {
  for (const namespace of ['/', '//', '/acme//', '/a/b', '/a%2Fb', '/a%', '/%zz', '/%ff', '/a%2520b', '/a%2Cb', '/..', '/%2e%2e', '/a?x=1', '/%00', `/${'a'.repeat(101)}`]) {
    t.match(outcome(() => instanceOfNamespace(namespace)), { code: INVALID_NAME }, namespace)
  }
})

t.test('every name is found again from its namespace, as it stands and percent-encoded', async t => {
  fc.assert(fc.property(text, value => {
    const found = outcome(() => instanceName(value))
    fc.pre('name' in found)
    const { name } = found as { name: string }
    const spellings = [namespaceOf(name), `${namespaceOf(name)}/`, `/${encodeURIComponent(name)}`, `/${encodeURIComponent(value)}/`]
    return spellings.every(namespace => instanceOfNamespace(namespace) === name)
  }), { numRuns: 1000 })
  fc.assert(fc.property(text, value => {
    const found = outcome(() => instanceOfNamespace(`/${value}`))
    return 'name' in found ? instanceName(found.name) === found.name : found.code === INVALID_NAME
  }), { numRuns: 2000 })
})

t.test('an excerpt is short', async t => {
  t.equal(excerpt('acme'), 'acme')
  t.equal(excerpt('a'.repeat(60)), 'a'.repeat(60))
  t.equal(excerpt('a'.repeat(61)), `${'a'.repeat(60)}…`)
})
