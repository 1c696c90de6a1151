import type { EventSchema } from '../events/catalogue.js'
import type { JsonSchema } from './document.js'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** Keywords whose value is data, which contains no references. */
const DATA: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'examples', 'example'])

/** Keywords whose value is an object of schemas, by names that the application has chosen. */
const NAMED: ReadonlySet<string> = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
  'dependencies'
])

/** Reference keywords of drafts 2019-09 and 2020-12. In a single document they have the same meaning as `$ref`. */
const REFERENCES: ReadonlySet<string> = new Set(['$ref', '$dynamicRef', '$recursiveRef'])

/** Keywords that identify a schema or its draft. They are dropped after references are resolved. */
const DONE: ReadonlySet<string> = new Set([
  '$id',
  '$schema',
  '$anchor',
  '$dynamicAnchor',
  '$recursiveAnchor',
  '$vocabulary'
])

const escaped = (key: string): string => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))

/** Map(reference, such as an `$id` or an anchor -> location of its schema in the document) */
type Locations = ReadonlyMap<string, string>

/**
 * Converts a schema of the application so that it can be a part of an AsyncAPI document: plain JSON, in which each
 * reference to a part of itself (`#/…`, an anchor, or an `$id`, as TypeBox writes a recursive type) has the location of
 * that part in the document. AsyncAPI reads schemas by draft 7, so keywords of later drafts are converted to draft 7.
 *
 * @param place location of the schema in the document, such as `#/components/schemas/call`
 */
export function embedded (schema: EventSchema | true, place: string): JsonSchema {
  if (schema === true) return true
  // JSON drops TypeBox's symbol properties, and every value that is not JSON.
  const plain = JSON.parse(JSON.stringify(schema)) as Json
  const places = new Map<string, string>()
  findLocations(plain, place, '', places)
  return converted(plain, place, places) as JsonSchema
}

/** @param base `$id` of the schema that contains the anchors */
function findLocations (schema: Json, place: string, base: string, places: Map<string, string>): void {
  if (typeof schema !== 'object' || schema === null) return
  const id = !Array.isArray(schema) && typeof schema.$id === 'string' ? schema.$id : undefined
  if (id !== undefined) places.set(id, place)
  const own = id === undefined || id.startsWith('#') ? base : id
  for (const [key, value] of Object.entries(schema)) {
    const at = `${place}/${escaped(draft7Keyword(schema, key))}`
    if ((key === '$anchor' || key === '$dynamicAnchor') && typeof value === 'string') {
      places.set(`${own}#${value}`, place)
      // References within the same schema leave out its base.
      if (!places.has(`#${value}`)) places.set(`#${value}`, place)
    } else if (NAMED.has(key)) {
      for (const [name, inner] of Object.entries(value ?? {})) {
        findLocations(inner as Json, `${at}/${escaped(name)}`, own, places)
      }
    } else if (!DATA.has(key)) findLocations(value, at, own, places)
  }
}

/** The keyword of draft 7 for a keyword of a later draft with the same meaning. */
function draft7Keyword (schema: Json, key: string): string {
  const isTuple = typeof schema === 'object' && schema !== null && 'prefixItems' in schema
  if (key === 'prefixItems') return 'items'
  if (key === 'items' && isTuple) return 'additionalItems'
  return REFERENCES.has(key) ? '$ref' : key
}

/** @param root location of the schema that `#` refers to */
function converted (schema: Json, root: string, places: Locations): Json {
  if (typeof schema !== 'object' || schema === null) return schema
  if (Array.isArray(schema)) return schema.map(each => converted(each, root, places))
  const own = typeof schema.$id === 'string' && !schema.$id.startsWith('#') ? places.get(schema.$id) ?? root : root
  const entries = Object.entries(schema).filter(([key]) => !DONE.has(key))
  const rewrite = (some: typeof entries): { [key: string]: Json } =>
    Object.fromEntries(some.map(([key, value]) =>
      [draft7Keyword(schema, key), rewrittenValue(key, value, own, places)]))
  const references = entries.filter(([key]) => REFERENCES.has(key))
  const others = withDependencies(rewrite(entries.filter(([key]) => !REFERENCES.has(key))))
  if (references.length === 0) return others
  // Draft 7 ignores all keywords beside a `$ref`. Only named schemas may stay there, since they are just referred to.
  const { $defs, definitions, ...beside } = others
  const kept = { ...$defs !== undefined && { $defs }, ...definitions !== undefined && { definitions } }
  if (references.length === 1 && Object.keys(beside).length === 0) return { ...rewrite(references), ...kept }
  return {
    ...others,
    allOf: [...references.map(reference => rewrite([reference])), ...Array.isArray(others.allOf) ? others.allOf : []]
  }
}

/** Draft 7 has the one keyword `dependencies` for two keywords of later drafts. */
function withDependencies (
  { dependentRequired, dependentSchemas, ...rest }: { [key: string]: Json }
): { [key: string]: Json } {
  if (dependentRequired === undefined && dependentSchemas === undefined) return rest
  const required = (dependentRequired ?? {}) as { [key: string]: Json }
  const schemas = (dependentSchemas ?? {}) as { [key: string]: Json }
  const both = Object.keys(required).filter(name => name in schemas)
  const merged = Object.fromEntries(both.map(name =>
    [name, { allOf: [schemas[name] ?? true, { required: required[name] ?? [] }] }]))
  return { ...rest, dependencies: { ...required, ...schemas, ...merged } }
}

function rewrittenValue (key: string, value: Json, root: string, places: Locations): Json {
  if (DATA.has(key) || key === 'dependentRequired') return value
  if (REFERENCES.has(key) && typeof value === 'string') return target(value, root, places)
  if (!NAMED.has(key) || typeof value !== 'object' || value === null) return converted(value, root, places)
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, converted(inner, root, places)]))
}

function target (reference: string, root: string, places: Locations): string {
  const named = places.get(reference)
  if (named !== undefined) return named
  const [id = '', pointer = ''] = reference.split('#', 2)
  return `${id === '' ? root : places.get(id) ?? root}${pointer}`
}
