import fc from 'fast-check'
import { KEY_WORDS, keyOf, type KeyWord } from '../keys.js'
import type { Part } from '../parts.js'

/** Keys that open something are drawn most, or nobody would come far. */
const OPEN: readonly KeyWord[] = ['global', 'global', 'global', 'yes', 'yes', 'one', 'calls', 'short', 'renewed', 'publishes']
const TOO_LONG = 9000
/** But for the one that only keeps places taken. */
const DRAWN = KEY_WORDS.filter(word => word !== 'slow')

/** A key of this run. */
export const keyText = (marker: string): fc.Arbitrary<string> => fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...OPEN) },
  { weight: 2, arbitrary: fc.constantFrom(...DRAWN) }
).map(word => keyOf(marker, word))

/** A key as it may be written where one belongs. */
export const keyParts = (marker: string): fc.Arbitrary<Part[]> => fc.oneof(
  { weight: 12, arbitrary: keyText(marker).map(key => [key]) },
  { weight: 1, arbitrary: keyText(marker).map(key => [`  ${key}\t`]) },
  { weight: 1, arbitrary: fc.constantFrom(...'x \u00e9%0=').map(filler => [`${marker}-`, { repeat: filler, times: TOO_LONG }]) },
  { weight: 1, arbitrary: fc.constantFrom('', ' ').map(nothing => [nothing]) }
)

/** A key as JSON, in a text as it should be, and in what is none. */
export const keyJson = (marker: string): fc.Arbitrary<Part[]> => fc.oneof(
  { weight: 12, arbitrary: keyParts(marker).map(parts => ['"', ...parts.map(part => typeof part === 'string' ? part.replaceAll('\t', '\\t') : part), '"']) },
  { weight: 1, arbitrary: keyText(marker).map(key => [JSON.stringify([key])]) },
  { weight: 1, arbitrary: keyText(marker).map(key => [JSON.stringify({ key, toString: key })]) },
  { weight: 1, arbitrary: fc.constantFrom('null', '0', '1', 'true', '{}', '[]', '""', '{"trim":1}').map(text => [text]) }
)

/** A header that brings a key. */
export const keyHeader = (marker: string): fc.Arbitrary<[name: string, value: Part[]]> => keyParts(marker).chain(value => fc.constantFrom<[string, Part[]]>(
  ['apikey', value],
  ['apikey', value],
  ['APIKEY', value],
  ['Authorization', ['Bearer ', ...value]],
  ['authorization', ['bearer   ', ...value]],
  ['Authorization', value],
  ['Authorization', [`Basic ${Buffer.from(`${marker}-yes:`).toString('base64')}`]]
))

/** The query of a URL that brings a key, in the ways that a URL can. */
export const keyQuery = (marker: string): fc.Arbitrary<Part[]> => fc.tuple(
  fc.constantFrom('apikey=', 'apikey=', 'apikey=', 'APIKEY=', 'apiKey=', '%61pikey=', 'apikey%3D', 'apikey[]=', 'apikey[a]=', 'x=1;apikey=', '&apikey=', 'apikey=&apikey='),
  keyText(marker)
).map(([before, key]) => [before + key])
