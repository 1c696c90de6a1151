import type { EventSchema } from '../events/catalogue.js'
import type { JsonSchema } from './document.js'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** Keywords whose value is data, in which nothing is a reference. */
const DATA: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'examples', 'example'])

/** Keywords whose value has schemas by names of the host's. */
const NAMED: ReadonlySet<string> = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas', 'dependencies'])

const escaped = (key: string): string => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))

/** Schemas that have a name in a document, by what refers to them there. */
type Places = ReadonlyMap<string, string>

/**
 * A host's schema as it can stand within another document: plain JSON, in which each reference to a part of itself
 * (`#/…`, or the `$id` of a part, as TypeBox writes a recursive type) says where that part stands there.
 *
 * @param place of it in the document, such as `#/components/schemas/call`
 */
export function embedded (schema: EventSchema | true, place: string): JsonSchema {
  if (schema === true) return true
  // Drops what TypeBox keeps by symbols, and all else that is no JSON.
  const plain = JSON.parse(JSON.stringify(schema)) as Json
  const places = new Map<string, string>()
  findPlaces(plain, place, places)
  return rewritten(plain, place, places) as JsonSchema
}

function findPlaces (schema: Json, place: string, places: Map<string, string>): void {
  if (typeof schema !== 'object' || schema === null) return
  if (!Array.isArray(schema) && typeof schema.$id === 'string') places.set(schema.$id, place)
  for (const [key, value] of Object.entries(schema)) {
    const at = `${place}/${escaped(key)}`
    if (NAMED.has(key)) for (const [name, inner] of Object.entries(value ?? {})) findPlaces(inner as Json, `${at}/${escaped(name)}`, places)
    else if (!DATA.has(key)) findPlaces(value, at, places)
  }
}

/** @param root where the schema stands that `#` means */
function rewritten (schema: Json, root: string, places: Places): Json {
  if (typeof schema !== 'object' || schema === null) return schema
  if (Array.isArray(schema)) return schema.map(each => rewritten(each, root, places))
  const own = typeof schema.$id === 'string' && !schema.$id.startsWith('#') ? places.get(schema.$id) ?? root : root
  // An id would make other things of the references within it, and what it was for is done.
  const kept = Object.entries(schema).filter(([key]) => key !== '$id' && key !== '$schema')
  return Object.fromEntries(kept.map(([key, value]) => [key, rewrittenValue(key, value, own, places)]))
}

function rewrittenValue (key: string, value: Json, root: string, places: Places): Json {
  if (DATA.has(key)) return value
  if (key === '$ref' && typeof value === 'string') return target(value, root, places)
  if (!NAMED.has(key) || typeof value !== 'object' || value === null) return rewritten(value, root, places)
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, rewritten(inner, root, places)]))
}

function target (reference: string, root: string, places: Places): string {
  const named = places.get(reference)
  if (named !== undefined) return named
  const [id = '', pointer = ''] = reference.split('#', 2)
  return `${id === '' ? root : places.get(id) ?? root}${pointer}`
}
