import fc from 'fast-check'

class Money {
  readonly cents = 500
  get pounds (): number { return this.cents / 100 }
  toJSON (key: string): string { return `${key}:${this.cents}` }
}

class Point {
  readonly x = 1
  readonly hidden = undefined
  readonly #y = 2
  get y (): number { return this.#y }
}

const shared = { shared: true }

/** Values that only JavaScript has, each made anew. Not one of them is binary. */
export const hostValues: ReadonlyArray<readonly [name: string, make: () => unknown]> = [
  /* eslint-disable no-new-wrappers */
  ['a boxed number', () => new Number(3)],
  ['a boxed NaN', () => new Number(NaN)],
  ['a boxed string', () => new String('oi')],
  ['a boxed boolean', () => [new Boolean(false), new Boolean(true)]],
  /* eslint-enable no-new-wrappers */
  ['a boxed symbol', () => Object(Symbol('x'))],
  ['a boxed number with a valueOf', () => Object.assign(Object(3) as object, { valueOf: () => 4 })],
  ['a boxed string with a toString', () => Object.assign(Object('a') as object, { toString: () => 'b' })],
  ['an own key __proto__', () => JSON.parse('{"__proto__":{"polluted":true},"a":1}')],
  ['a toJSON with a key', () => ({ a: new Money(), list: [new Money(), [new Money()]] })],
  ['a toJSON that gives undefined', () => ({ a: { toJSON () {} }, list: [{ toJSON () {} }] })],
  ['a toJSON that gives an object with a toJSON', () => ({ toJSON: () => ({ toJSON: () => 'never', a: 1 }) })],
  ['a toJSON that is no function', () => ({ toJSON: 5, a: 1 })],
  ['a function with a toJSON', () => Object.assign(() => {}, { toJSON: (key: string) => `of ${key}` })],
  ['a list with a toJSON', () => Object.assign([1], { toJSON: () => 'a list' })],
  ['dates', () => [new Date(0), new Date(NaN), { at: new Date(1) }]],
  ['a Map and a Set', () => [new Map([[1, 2]]), new Set([1])]],
  ['what JSON leaves out', () => ({ a: undefined, b: () => 1, c: Symbol('x'), list: [undefined, () => 1, Symbol('x')] })],
  ['odd numbers', () => [NaN, Infinity, -Infinity, -0, 1e21, 1e-7]],
  ['a sparse list', () => Object.assign(new Array(3) as unknown[], { 1: 'a', name: 'left out' })],
  ['keys in numeric order', () => ({ b: 1, 2: 'two', a: 2, 1: 'one', '-1': 3, '01': 4 })],
  ['keys that are symbols, and hidden ones', () => Object.defineProperty({ [Symbol('x')]: 1, a: 1 }, 'hidden', { value: 1 })],
  ['a getter', () => ({ get a () { return [1] } })],
  ['an instance of a class', () => new Point()],
  ['inherited keys', () => Object.assign(Object.create({ inherited: 1 }) as object, { own: 1 })],
  ['an object without a prototype', () => Object.assign(Object.create(null) as object, { a: 1 })],
  ['a Proxy', () => new Proxy({ a: 1, list: [1] }, { get: (target, key) => key === 'a' ? 'trapped' : Reflect.get(target, key) as unknown })],
  ['a Proxy of a list', () => new Proxy([1, 2], {})],
  ['the same object twice', () => [shared, { again: shared }]],
  ['an Error', () => new Error('no')],
  ['a regular expression and a URL', () => [/x/, new URL('https://example.com')]],
  ['a SharedArrayBuffer', () => new SharedArrayBuffer(2)],
  ['odd texts', () => ['\u2028', '\ud800', '"', '\0', { '\ud800"': 1, '': 2 }]],
  ['an invalid Date with a boxed number', () => ({ list: [new Date(NaN), Object(1)] })]
]

const { rawJSON } = JSON as { rawJSON?: (text: string) => unknown }
const raw: typeof hostValues = rawJSON === undefined ? [] : [['JSON.rawJSON', () => ({ big: rawJSON('12345678901234567890') })]]
const makers = [...hostValues, ...raw].map(([, make]) => make)

type Make = () => unknown

/** Values with some of them in it, and plain ones, in lists and objects. */
export const oddValue: fc.Arbitrary<Make> = fc.letrec<{ make: Make }>(tie => ({
  make: fc.oneof({ maxDepth: 3 },
    fc.constantFrom(...makers),
    fc.jsonValue({ maxDepth: 2 }).map(value => () => value),
    fc.array(tie('make'), { maxLength: 3 }).map(list => () => list.map(make => make())),
    fc.dictionary(fc.oneof(fc.string({ maxLength: 3 }), fc.constantFrom('__proto__', '1', 'constructor')), tie('make'), { maxKeys: 3 })
      .map(made => () => Object.fromEntries(Object.entries(made).map(([key, make]) => [key, make()]))))
})).make
