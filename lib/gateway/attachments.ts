import { types } from 'node:util'

/** An object of plain JSON values, with a placeholder for each binary part. */
export interface Extracted<Content extends object> {
  readonly value: Content
  /** The binary parts, in the order of their placeholders. */
  readonly attachments: Binary[]
}

export type Binary = ArrayBufferView | ArrayBuffer | Blob

const { getOwnPropertyDescriptor, getPrototypeOf, keys } = Object

/** Node 20 does not have `JSON.isRawJSON`. */
const { isRawJSON = () => false } = JSON as { isRawJSON?: (value: unknown) => boolean }

/**
 * Replaces the binary parts of an object by placeholders. `JSON.stringify` then writes all other values as it would in
 * the original. Most data is plain, and is returned unchanged. All other data is copied in one pass that follows
 * `SerializeJSONProperty` step by step, so that each getter and each `toJSON` is called once, and a `toJSON` with its
 * key.
 *
 * Socket.IO's own encoder reads data twice, calls `toJSON` without a key, and copies objects by assignment.
 *
 * @see https://tc39.es/ecma262/#sec-serializejsonproperty
 * @param top a property that is a separate JSON text: a `toJSON` of its value is called with `''`
 * @throws the error of a getter, a proxy or a `toJSON`; a RangeError for circular or too deeply nested data
 */
export function extractBinary<Content extends object> (content: Content, top: string): Extracted<Content> {
  const attachments: Binary[] = []
  if (isPlain(content)) return { value: content, attachments }
  return { value: copyObject(content, attachments, top) as Content, attachments }
}

/**
 * Whether a value has no binary parts, and reading it calls no code of the application. Only plain objects and arrays
 * can qualify: an object with another prototype may have a `toJSON`, and an accessor must be read only once.
 */
function isPlain (value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return typeof value !== 'function'
  if ((value as { toJSON?: unknown }).toJSON !== undefined) return false
  const prototype: unknown = getPrototypeOf(value)
  if (prototype === Array.prototype) {
    for (let index = 0; index < (value as unknown[]).length; index++) {
      if (!isPlain((value as unknown[])[index])) return false
    }
    return true
  }
  if (prototype !== Object.prototype && prototype !== null) return false
  for (const key of keys(value)) {
    const property = getOwnPropertyDescriptor(value, key)
    if (property?.get !== undefined || !isPlain(property?.value)) return false
  }
  return true
}

/** The value of a property after its `toJSON`. Binary data is detected first, because a Buffer has a `toJSON`. */
function copyProperty (key: string, value: unknown, attachments: Binary[]): unknown {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function' && typeof value !== 'bigint') {
    return value
  }
  if (isBinary(value)) return placeholder(value, attachments)
  const { toJSON } = value as { toJSON?: unknown }
  return copyValue(typeof toJSON === 'function' ? Reflect.apply(toJSON, value, [key]) : value, attachments)
}

function copyValue (value: unknown, attachments: Binary[]): unknown {
  if (typeof value === 'bigint') throw new TypeError('Do not know how to serialize a BigInt')
  // Functions are left out, as JSON does. If they were copied, one named `toJSON` would be called.
  if (typeof value === 'function') return undefined
  if (typeof value !== 'object' || value === null) return value
  if (isBinary(value)) return placeholder(value, attachments)
  if (types.isBoxedPrimitive(value)) return unboxed(value)
  if (isRawJSON(value)) return value
  return Array.isArray(value) ? copyArray(value, attachments) : copyObject(value, attachments)
}

function unboxed (value: object): unknown {
  if (types.isNumberObject(value)) return Number(value)
  if (types.isStringObject(value)) return String(value)
  if (types.isBooleanObject(value)) return Boolean.prototype.valueOf.call(value)
  if (types.isBigIntObject(value)) throw new TypeError('Do not know how to serialize a BigInt')
  // JSON writes a Symbol object as an empty object.
  return {}
}

function copyArray (list: readonly unknown[], attachments: Binary[]): unknown[] {
  const copy: unknown[] = []
  const { length } = list
  for (let index = 0; index < length; index++) copy.push(copyProperty(String(index), list[index], attachments))
  return copy
}

function copyObject (object: object, attachments: Binary[], top?: string): object {
  const copy: Record<string, unknown> = {}
  for (const key of keys(object)) {
    const value = copyProperty(key === top ? '' : key, (object as Record<string, unknown>)[key], attachments)
    // A plain assignment would set the prototype.
    if (key === '__proto__') Object.defineProperty(copy, key, { value, enumerable: true })
    else copy[key] = value
  }
  return copy
}

/** Whether Socket.IO treats the value as binary. It does not treat a SharedArrayBuffer so. */
function isBinary (value: unknown): value is Binary {
  return ArrayBuffer.isView(value) || types.isArrayBuffer(value) || value instanceof Blob
}

function placeholder (binary: Binary, attachments: Binary[]): object {
  return { _placeholder: true, num: attachments.push(binary) - 1 }
}
