import { type Part, textOf } from './parts.js'

/** Values that no JSON can say. */
const ODD = {
  undefined: () => undefined,
  symbol: () => Symbol('fuzz'),
  bigint: () => 10n,
  nan: () => NaN,
  infinity: () => Infinity,
  function: () => () => 1,
  class: () => class Fuzz {},
  buffer: () => Buffer.from('fuzz'),
  array: () => new Uint16Array(4),
  'array-buffer': () => new ArrayBuffer(3),
  date: () => new Date(0),
  'no-date': () => new Date(NaN),
  map: () => new Map([['a', 1]]),
  error: () => new Error('fuzz'),
  promise: () => Promise.resolve(1),
  bare: () => Object.assign(Object.create(null) as object, { a: 1 }),
  sparse: () => { const list: unknown[] = []; list[3] = 1; return list },
  circular: () => { const value: Record<string, unknown> = {}; value.value = value; return value },
  getter: () => Object.defineProperty({}, 'enabled', { enumerable: true, get () { throw new Error('a getter') } }),
  'to-json': () => ({ toJSON () { throw new TypeError('toJSON') } }),
  'to-json-odd': () => ({ toJSON () { return undefined } }),
  'to-string': () => ({ toString () { throw new Error('toString') } }),
  primitive: () => ({ [Symbol.toPrimitive] () { throw new Error('toPrimitive') } }),
  proxy: () => new Proxy({}, { get () { throw new Error('a trap') }, ownKeys () { throw new Error('a trap') } }),
  revoked: () => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy },
  boxed: () => Object('fuzz-a') as object,
  deep: () => { let value: unknown = 1; for (let level = 0; level < 10_000; level++) value = [value]; return value },
  'deep-object': () => { let value: unknown = 1; for (let level = 0; level < 10_000; level++) value = { value }; return value },
  wide: () => Object.fromEntries(Array.from({ length: 2000 }, (empty, at) => [`key${at}`, at])),
  long: () => 'x'.repeat(64 * 1024),
  large: () => 'x'.repeat(3 * 1024 * 1024),
  'json-proto': () => JSON.parse('{"__proto__":{"enabled":true}}') as unknown,
  then: () => ({ then () { throw new Error('then') } }),
  'frozen-events': () => Object.freeze({ enabled: true, events: Object.freeze(['call']) })
} satisfies Record<string, () => unknown>

export type OddWord = keyof typeof ODD
export const ODD_WORDS = Object.keys(ODD) as [OddWord, ...OddWord[]]

/** An argument of a call, said so that it can be printed and sent to another process. */
export type Argument =
  | { readonly json: unknown }
  | { readonly text: readonly Part[] }
  | { readonly odd: OddWord }
  | { readonly object: Readonly<Record<string, Argument>> }

/** The value that an argument stands for, made anew. */
export function valueOf (argument: Argument): unknown {
  if ('json' in argument) return structuredClone(argument.json)
  if ('text' in argument) return textOf(argument.text, '')
  if ('odd' in argument) return ODD[argument.odd]()
  return Object.fromEntries(Object.entries(argument.object).map(([key, value]) => [key, valueOf(value)]))
}
