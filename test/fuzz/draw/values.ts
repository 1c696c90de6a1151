import fc from 'fast-check'
import type { Part } from '../parts.js'

/** Instances that are set, so that something happens there. */
export const INSTANCES = ['fuzz-a', 'fuzz-b', 'Teste 01', 'caf\u00e9'] as const
/** The instance of the healthy clients, which an attack may ask for and never changes. */
export const HEALTHY = 'healthy'
export const EVENTS = ['messages.upsert', 'MESSAGES_UPDATE', 'call', 'GROUP_UPDATE'] as const
/** Events that the attacked server handles. */
export const HANDLED = ['echo', 'checked', 'throws', 'slow', 'odd', 'coded'] as const

const KIB = 1024
const PROTOTYPE_WORDS = ['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', '__defineGetter__', 'then', 'toJSON', 'length']
const ODD_NAMES = ['', ' ', '.', '..', '/', '\\', ',', '?', '#', '%', '%00', '%2f', '%zz', '%e0%a4%a', 'a,b', 'a/b', 'a?apikey', 'cafe\u0301', '\0', 'a\0b', '\r\n', '\ud800', 'a\udfff', '\udc00\ud800', '\u202eabc', '\u05d0\u05d1', '\ufeff', '\u2028', '\u{1f600}', 'fuzz-a/', 'FUZZ-A', '*', 'messages.*', '-1', 'null', 'undefined', 'x'.repeat(100), 'x'.repeat(101)]
const LONG: readonly Part[] = [{ repeat: 'x', times: 200 }, { repeat: 'x', times: 64 * KIB }, { repeat: '\u00e9', times: 32 * KIB }, { repeat: '%41', times: 400 }]

/** Words that mean something to somebody. */
export const word = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...PROTOTYPE_WORDS) },
  { weight: 4, arbitrary: fc.constantFrom(...ODD_NAMES) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 120 }) }
)

/** The name of an instance, as a text. */
export const nameText = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom<string>(...INSTANCES) },
  { weight: 4, arbitrary: word }
)

/** The name of an instance, or what is far too long for one. */
export const name: fc.Arbitrary<Part> = fc.oneof(
  { weight: 30, arbitrary: nameText },
  { weight: 1, arbitrary: fc.constantFrom(...LONG) }
)

export const event = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<string>(...EVENTS) },
  { weight: 1, arbitrary: word }
)

const quoted = (text: string): string => JSON.stringify(text)
const LEVELS = 10_000

const nested: fc.Arbitrary<Part[]> = fc.tuple(fc.constantFrom(['[', ']'], ['{"a":', '}'], ['{"__proto__":', '}']), fc.constantFrom(20, 1000, LEVELS))
  .map(([[open = '', close = ''], times]) => [{ repeat: open, times }, '1', { repeat: close, times }])
const longText: fc.Arbitrary<Part[]> = fc.constantFrom(...LONG).map(part => ['"', part, '"'])
const ODD_JSON = ['', 'null', 'true', '0', '-0', '1e999', '-1e999', '123456789012345678901234567890', '""', '[]', '{}', '[null]', '[[]]', '{"":""}', '{"__proto__":{"x":1}}', '{"constructor":{"prototype":{"x":1}}}', '{"toString":1}', '{"then":1}', '{"_placeholder":true,"num":0}', '{"_placeholder":true,"num":-1}', '{"_placeholder":true,"num":1e9}', '{"_placeholder":true}', '"\\ud800"', '"\\u0000"', '"a\\u202eb"', '{"a":1,"a":2}']
const BROKEN_JSON = ['{', '[', '"', '{"a"', '[1,', 'nul', '{a:1}', "{'a':1}", '[1]]', '\ud800', '\0', '//', 'NaN']

/** A value as JSON. */
export const json: fc.Arbitrary<Part[]> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...ODD_JSON.slice(1)).map(text => [text]) },
  { weight: 4, arbitrary: fc.jsonValue({ maxDepth: 3 }).map(value => [JSON.stringify(value)]) },
  { weight: 3, arbitrary: word.map(text => [quoted(text)]) },
  { weight: 1, arbitrary: nested },
  { weight: 1, arbitrary: longText }
)

/** What is said to be JSON. */
export const jsonOrNot: fc.Arbitrary<Part[]> = fc.oneof(
  { weight: 5, arbitrary: json },
  { weight: 1, arbitrary: fc.constantFrom(...BROKEN_JSON).map(text => [text]) }
)

/** An object as JSON, of parts that are JSON themselves. */
export function object (members: Record<string, fc.Arbitrary<Part[] | undefined>>): fc.Arbitrary<Part[]> {
  return fc.record(members).map(drawn => {
    const given = Object.entries(drawn).filter((member): member is [string, Part[]] => member[1] !== undefined)
    return ['{', ...given.flatMap(([key, parts], at) => [`${at === 0 ? '' : ','}${quoted(key)}:`, ...parts]), '}']
  })
}

/** What is there now and then. */
export const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined, freq: 2 })

/** Names as JSON, in the ways that a filter takes them and in others. */
export const namesJson = (each: fc.Arbitrary<string>): fc.Arbitrary<Part[]> => fc.oneof(
  { weight: 3, arbitrary: fc.array(each, { maxLength: 4 }).map(list => [JSON.stringify(list)]) },
  { weight: 1, arbitrary: fc.array(each, { maxLength: 4 }).map(list => [quoted(list.join())]) },
  { weight: 2, arbitrary: json },
  { weight: 1, arbitrary: fc.tuple(each, fc.constantFrom(50, 300, 11_000)).map(([text, times]) => ['[', { repeat: `${quoted(text)},`, times }, '""]']) }
)

/** The newest id, or one near it. */
export const nearId: fc.Arbitrary<Part> = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.constantFrom('0', '1', 'z', 'Z', '-', '')).map(([nearIdAt, to]) => ({ nearIdAt, to }))

/** An id to resume from: near one that the store knows, or none. */
export const idJson: fc.Arbitrary<Part[]> = fc.oneof(
  { weight: 4, arbitrary: nearId.map(part => ['"', part, '"']) },
  { weight: 1, arbitrary: fc.constantFrom('""', '"0"', '"0-0"', '"$"', '"+"', `"${'z'.repeat(19)}"`, `"${'0'.repeat(19)}"`, '"*"').map(text => [text]) },
  { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom(...'0123456789abcdefghijklmnopqrstuvwxyz'), minLength: 19, maxLength: 19 }).map(text => [quoted(text)]) },
  { weight: 2, arbitrary: json }
)
