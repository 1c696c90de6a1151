import { errors } from '../errors.js'

/** Longest instance name, in UTF-16 units; the same as Fastify's default `maxParamLength`. */
export const MAX_NAME_LENGTH = 100

// `,` ends the namespace in a Socket.IO packet; the other characters have a meaning in URLs.
const FORBIDDEN = /[/\\,?#%]|\p{Cc}/u
// Fast path for plain ASCII names, which need neither normalization nor the Unicode checks.
const PLAIN = /^[A-Za-z0-9_-]{1,100}$/

/**
 * Validates the name of an instance.
 *
 * @param name not percent-encoded
 * @returns the name, NFC-normalized
 * @throws INVALID_NAME
 */
export function instanceName (name: unknown): string {
  if (typeof name !== 'string') throw new errors.INVALID_NAME(`(${typeof name})`, 'must be a string')
  if (PLAIN.test(name)) return name
  const normal = name.normalize('NFC')
  const fault = faultOf(normal)
  if (fault !== undefined) throw new errors.INVALID_NAME(JSON.stringify(excerpt(name)), fault)
  return normal
}

function faultOf (name: string): string | undefined {
  if (name === '') return 'is empty'
  if (name.length > MAX_NAME_LENGTH) return `has ${name.length} characters, ${MAX_NAME_LENGTH} are allowed`
  if (name === '.' || name === '..') return 'is a path step'
  const found = FORBIDDEN.exec(name)
  if (found !== null) return `has ${JSON.stringify(found[0])} in it: none of / \\ , ? # % and no control characters`
  if (!name.isWellFormed()) return 'is not well-formed Unicode'
}

/** Shortens a value from outside for an error message. */
export function excerpt (value: string): string {
  return value.length > 60 ? `${value.slice(0, 60)}…` : value
}

/**
 * Reads the instance's name from a namespace as the client wrote it: percent-encoded or not, with or without a slash at
 * the end.
 *
 * @param namespace such as `/acme`, `/Teste%2001/`; not the root
 * @returns the instance's name
 * @throws INVALID_NAME
 */
export function instanceOfNamespace (namespace: string): string {
  const end = namespace.length > 1 && namespace.endsWith('/') ? -1 : namespace.length
  return instanceName(percentDecoded(namespace.slice(1, end)))
}

function percentDecoded (text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    throw new errors.INVALID_NAME(JSON.stringify(excerpt(text)), 'is not valid percent-encoding')
  }
}

/** The namespace of an instance, in the form of `EmitResult.routes`. */
export const namespaceOf = (name: string): string => `/${name}`

/** Whether {@link instanceName} accepts a name. */
export const isInstanceName = (name: string): boolean => faultOf(name.normalize('NFC')) === undefined
