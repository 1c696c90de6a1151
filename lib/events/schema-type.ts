/**
 * Infers the type of the data that a TypeBox schema describes, for both TypeBox packages. A schema of
 * `@sinclair/typebox` carries its type; a schema of `typebox` 1.x has its kind in `~kind`. The types are read from the
 * schema's structure, so that neither package has to be installed.
 */
import type { Static, TSchema } from '@sinclair/typebox'

/** A schema of `typebox` 1.x. TypeBox's general type `TSchema` also matches, and gives `unknown`. */
export interface TypeBoxSchema {
  /** The kind of the schema, such as `Object`. */
  readonly '~kind'?: unknown
  /** The type of the data, if the application declared it by hand. */
  readonly '~unsafe'?: unknown
}

/** @inline */
type Named = Readonly<Record<string, unknown>>
type Evaluated<Type> = { [Key in keyof Type]: Type[Key] } & {}

type OptionalKeys<Properties> = {
  [Key in keyof Properties]: Properties[Key] extends { '~optional': true } ? Key : never
}[keyof Properties]
type ReadonlyKeys<Properties> = {
  [Key in keyof Properties]: Properties[Key] extends { '~readonly': true } ? Key : never
}[keyof Properties]

type ObjectOf<Properties, Defs> = keyof Properties extends never ? object : Evaluated<
  & {
    -readonly [Key in Exclude<keyof Properties, OptionalKeys<Properties> | ReadonlyKeys<Properties>>]:
    DataOf<Properties[Key], Defs>
  }
  & { -readonly [Key in Exclude<OptionalKeys<Properties>, ReadonlyKeys<Properties>>]?: DataOf<Properties[Key], Defs> }
  & { readonly [Key in Exclude<ReadonlyKeys<Properties>, OptionalKeys<Properties>>]: DataOf<Properties[Key], Defs> }
  & { readonly [Key in Extract<ReadonlyKeys<Properties>, OptionalKeys<Properties>>]?: DataOf<Properties[Key], Defs> }
>

type ListOf<Type, List> = Type extends { '~immutable': true } ? Readonly<List> : List
type TupleOf<Items, Defs> =
  Items extends [infer First, ...infer Rest] ? [DataOf<First, Defs>, ...TupleOf<Rest, Defs>] : []
type IntersectionOf<Types, Defs> =
  Types extends [infer First, ...infer Rest] ? DataOf<First, Defs> & IntersectionOf<Rest, Defs> : unknown
type UnionOf<Types extends unknown[], Defs> = { [At in keyof Types]: DataOf<Types[At], Defs> }[number]
type RecordOf<Patterns, Defs> = { [key: string]: DataOf<Patterns[keyof Patterns], Defs> }
type RefOf<Name, Defs> = Name extends keyof Defs ? DataOf<Defs[Name], Defs> : unknown

/** Kinds of schemas without nested schemas. Kinds that JSON does not have are left out. */
interface Plain {
  String: string
  TemplateLiteral: string
  Number: number
  Integer: number
  Boolean: boolean
  Null: null
  Never: never
}

type KindOf<Kind, Type, Defs> =
  Kind extends keyof Plain ? Plain[Kind]
    : Type extends { '~kind': 'Object', properties: infer Properties } ? ObjectOf<Properties, Defs>
      : Type extends { '~kind': 'Array', items: infer Items } ? ListOf<Type, Array<DataOf<Items, Defs>>>
        : Type extends { '~kind': 'Tuple', items: infer Items } ? ListOf<Type, TupleOf<Items, Defs>>
          : Type extends { '~kind': 'Union', anyOf: infer Types extends unknown[] } ? UnionOf<Types, Defs>
            : Type extends { '~kind': 'Intersect', allOf: infer Types } ? IntersectionOf<Types, Defs>
              : Type extends { '~kind': 'Literal', const: infer Value } ? Value
                : Type extends { '~kind': 'Enum', enum: infer Values extends unknown[] } ? Values[number]
                  : Type extends { '~kind': 'Record', patternProperties: infer Patterns } ? RecordOf<Patterns, Defs>
                    : Type extends { '~kind': 'Cyclic', $defs: infer Inner, $ref: infer Name } ? RefOf<Name, Inner>
                      : Type extends { '~kind': 'Ref', $ref: infer Name } ? RefOf<Name, Defs>
                        : unknown

type DataOf<Type, Defs> =
  Type extends { '~unsafe': infer Data } ? Data
    : Type extends { '~kind': infer Kind } ? KindOf<Kind, Type, Defs>
      : unknown

/**
 * The type of the data that a schema describes; `unknown` for a plain JSON Schema and for `true`. `DataOf`, which is
 * not exported, handles the schemas of `typebox` 1.x.
 */
export type SchemaData<Schema> = Schema extends TSchema ? Static<Schema> : DataOf<Schema, Record<never, never>>

/** A JSON Schema, made by any version of TypeBox or by `z.toJSONSchema()`, or written by hand. */
export type EventSchema = TSchema | Named | TypeBoxSchema
