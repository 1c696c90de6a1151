/** A text too long to be printed, said by what it repeats. */
interface Repeated { readonly repeat: string, readonly times: number }
/** Bytes that are no text. */
interface Raw { readonly hex: string }
/** The newest id that the server has told of, with one character changed; `at` beyond its end changes nothing. */
interface NearId { readonly nearIdAt: number, readonly to: string }

/**
 * A part of an input. An input is drawn as parts and not as bytes, so that it stays short when it is printed, and so
 * that it can name what only the running server knows.
 */
export type Part = string | Repeated | Raw | NearId

/** The bytes that parts stand for, one after the other. */
export function bytesOf (parts: readonly Part[], newestId: string): Buffer {
  return Buffer.concat(parts.map(part => typeof part === 'object' && 'hex' in part ? Buffer.from(part.hex, 'hex') : Buffer.from(textOf([part], newestId))))
}

/** The text that parts stand for. */
export function textOf (parts: readonly Part[], newestId: string): string {
  return parts.map(part => {
    if (typeof part === 'string') return part
    if ('repeat' in part) return part.repeat.repeat(part.times)
    if ('hex' in part) return Buffer.from(part.hex, 'hex').toString('latin1')
    return newestId.slice(0, part.nearIdAt) + (part.nearIdAt < newestId.length ? part.to : '') + newestId.slice(part.nearIdAt + 1)
  }).join('')
}
